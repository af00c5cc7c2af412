#include "cli/program.h"

#include <cstdio>
#include <cstdlib>

int main(int argc, char** argv) {
  const int code = primus::cli::run(argc, argv);
  if (code == 0) return 0;
  // A rank that failed leaves at once: its background operations may wait for other ranks for ever.
  std::fflush(nullptr);
  std::_Exit(code);
}
