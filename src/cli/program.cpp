#include "cli/program.h"

#include <c10/util/Exception.h>

#include <cstdio>
#include <exception>

#include "cli/commands.h"
#include "core/error.h"

namespace primus::cli {

namespace {

constexpr int exit_failed = 1;
constexpr int exit_bad_input = 2;

int report(std::string_view message, int code) {
  std::fputs(fmt::format("primus: error: {}\n", message).c_str(), stderr);
  return code;
}

void run_command(int argc, char** argv) {
  CLI::App app("Primus in C++: trains large language models from one YAML file", "primus-cli");
  app.require_subcommand(1);
  app.set_version_flag("--version", "primus-cli 0.1.0");
  add_config(app);
  add_data(app);
  add_tokenizer(app);
  add_train(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help_or_version) {
    app.exit(help_or_version);
  }
}

}  // namespace

int run(int argc, char** argv) {
  try {
    run_command(argc, argv);
    return 0;
  } catch (const CLI::ParseError& error) {
    return report(error.what(), exit_bad_input);
  } catch (const UserError& error) {
    return report(error.what(), exit_bad_input);
  } catch (const c10::Error& error) {
    return report(error.what_without_backtrace(), exit_failed);
  } catch (const std::exception& error) {
    return report(error.what(), exit_failed);
  }
}

}  // namespace primus::cli
