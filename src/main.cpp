#include "cli/program.h"

int main(int argc, char** argv) { return primus::cli::run(argc, argv); }
