#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "config/arguments.h"
#include "config/environment.h"
#include "config/value.h"

namespace primus::config {

/// What is to be resolved.
struct ResolveRequest {
  std::filesystem::path config;        ///< the experiment file
  std::vector<std::string> overrides;  ///< command-line tokens, see parse_tokens
  std::string module = "pre_trainer";  ///< or post_trainer; each stands in for the other; empty: none
  /// Trees with models/, modules/ and platforms/; the first that has a preset wins.
  std::vector<std::filesystem::path> config_directories;
  Environment environment = process_environment();
  bool allow_unknown_keys = false;  ///< warn of unknown and misplaced keys instead of failing
};

/// The trees to look for presets in: `given` (of --config_dir), $PRIMUS_CONFIG_DIR, and the one that comes
/// with the program.
std::vector<std::filesystem::path> config_directories(const std::filesystem::path& given,
                                                      const Environment& environment = process_environment());

/// The whole merged tree of an experiment file, in the shape of the original's: presets, `overrides`,
/// platform, and the command line of the request over the chosen module. Knows no argument: any key is kept.
/// Reads files, writes none.
struct Document {
  Value tree;
  std::string module;  ///< the module that the request chose; empty when it wants none
  std::vector<std::string> warnings;
  std::vector<Problem> problems;  ///< keys of the experiment file that stand where nothing reads them

  /// The chosen module's parameters: what is left of it without the keys that describe the module itself.
  Value parameters() const;
};

/// Merges an experiment file with its presets and the command line.
/// Throws UserError, with file and line.
Document merge_experiment(const ResolveRequest& request);

/// The `env:` block of the named file itself (it is not inherited), `$NAME` and `${NAME}` replaced as a shell
/// does. A block that is no map gives nothing and a warning.
std::vector<std::pair<std::string, std::string>> environment_block(const ResolveRequest& request,
                                                                   std::vector<std::string>& warnings);

/// One run, resolved: nothing of it has touched the disk yet.
struct Experiment {
  std::string work_group, user_name, exp_name;
  std::filesystem::path workspace;
  std::filesystem::path root_directory;  ///< workspace/work_group/user_name/exp_name
  std::string module;                    ///< the module that was chosen, e.g. pre_trainer
  Arguments arguments;
  Value document;  ///< the whole merged tree, command line included
  std::vector<std::pair<std::string, std::string>>
      environment;  ///< the `env:` block, to be exported before all else
  std::vector<std::string> warnings;
};

/// Resolves an experiment file and the command line to typed arguments.
/// Throws UserError with every problem found, each with its file and line.
Experiment resolve(const ResolveRequest& request);

/// The same, with the problems of the arguments added to `problems` instead of thrown. (What keeps the files
/// from being merged is still thrown.)
Experiment resolve(const ResolveRequest& request, std::vector<Problem>& problems);

/// The document with each argument as it was set, in the type that its row gives (`1e-2` is a number, not
/// text). What follows from others is left to be derived again, so that loading it as an experiment file
/// gives the same run.
Value resolved_tree(const Experiment& experiment);

/// The derived arguments that are other than what was set, as a comment to put under the YAML of such a tree.
std::string derived_comment(const Arguments& arguments);

}  // namespace primus::config
