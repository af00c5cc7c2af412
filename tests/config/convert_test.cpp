// Values of files and command lines as the types of the table.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/arguments.h"
#include "config/yaml.h"

namespace primus::config {
namespace {

using ::testing::HasSubstr;

/// The value of an argument of which one line of YAML is given, or the reason why it cannot be.
std::variant<TypedValue, std::string> converted(const std::string& line) {
  const Value tree = parse_yaml(line, "line.yaml");
  const auto& [name, value] = *tree.map()->begin();
  return convert(argument_at(find_argument(name)), value);
}

std::string reason(const std::string& line) {
  const auto outcome = converted(line);
  const auto* text = std::get_if<std::string>(&outcome);
  return text ? *text : "accepted";
}

template <typename T>
T value(const std::string& line) {
  return std::get<T>(std::get<TypedValue>(converted(line)));
}

TEST(Convert, TextsThatAreNumbersAreNumbersWhereOneIsWanted) {
  EXPECT_EQ(value<double>("lr: 1e-5"), 1e-5);
  EXPECT_EQ(value<double>("lr: '1'"), 1.0);
  EXPECT_EQ(value<std::int64_t>("train_iters: 1e3"), 1000);
  EXPECT_EQ(value<std::int64_t>("train_iters: '8'"), 8);
  EXPECT_EQ(value<std::string>("wandb_exp_name: 007"), "007");
}

TEST(Convert, NullAndTheTextNullAreNothing) {
  EXPECT_TRUE(std::holds_alternative<std::monostate>(std::get<TypedValue>(converted("train_samples: null"))));
  EXPECT_TRUE(
      std::holds_alternative<std::monostate>(std::get<TypedValue>(converted("train_samples: 'null'"))));
  EXPECT_TRUE(value<std::vector<std::string>>("data_path: null").empty());
}

TEST(Convert, OneItemIsAListOfOne) {
  EXPECT_EQ(value<std::vector<std::int64_t>>("profile_ranks: 3"), std::vector<std::int64_t>{3});
  EXPECT_EQ(value<std::vector<std::int64_t>>("profile_ranks: 0,3"), (std::vector<std::int64_t>{0, 3}));
  EXPECT_EQ(value<std::vector<std::string>>("data_path: 0.5 a  0.5 b"),
            (std::vector<std::string>{"0.5", "a", "0.5", "b"}));
}

TEST(Convert, AListInATextIsOneAsYamlReadsIt) {
  // What the command line makes of data_path=[0.5, /a, 0.5, /b c].
  EXPECT_EQ(value<std::vector<std::string>>("data_path: '[0.5, /a, 0.5, /b c]'"),
            (std::vector<std::string>{"0.5", "/a", "0.5", "/b c"}));
  EXPECT_EQ(value<std::vector<std::string>>("data_path: '[0.5,/a]'"),
            (std::vector<std::string>{"0.5", "/a"}));
  EXPECT_EQ(value<std::vector<std::string>>("data_path: '[]'"), std::vector<std::string>());
  EXPECT_EQ(value<std::vector<std::int64_t>>("profile_ranks: '[0, 3]'"), (std::vector<std::int64_t>{0, 3}));
  EXPECT_EQ(std::get<std::string>(converted("data_path: '[0.5, /a'")),
            "must be a string or a list of strings, not the text '[0.5, /a'");
  EXPECT_EQ(std::get<std::string>(converted("profile_ranks: '[0, x]'")),
            "must be a list of integers, not the list [0, \"x\"]");
}

TEST(Convert, SaysWhatIsWantedAndWhatWasGiven) {
  const std::pair<const char*, const char*> cases[] = {
      {"hidden_size: wide", "must be an integer, not the text 'wide'"},
      {"hidden_size: 1.5", "must be an integer, not the number 1.5"},
      {"hidden_size: [64]", "must be an integer, not the list [64]"},
      {"hidden_size: yes", "must be an integer, not the boolean yes"},
      {"lr: fast", "must be a number, not the text 'fast'"},
      {"lr: {max: 1}", "must be a number, not the map {\"max\": 1}"},
      {"bf16: 2", "must be true or false, not the integer 2"},
      {"bf16: 'true'", "must be true or false, not the text 'true'"},
      {"optimizer: adan", "must be one of adam, sgd, muon, dist_muon; it is 'adan'; did you mean 'adam'?"},
      {"adam_beta1: 1.5", "must be at least 0 and less than 1; it is 1.5"},
      {"micro_batch_size: 0", "must be greater than 0; it is 0"},
      {"micro_batch_size: -1", "must be greater than 0; it is -1"},
      {"lr: -1e-3", "must be at least 0; it is -1e-3"},
      {"lr: .nan", "must be a finite number; it is .nan"},
      {"lr: .inf", "must be a finite number; it is .inf"},
      {"lr: 1e999", "must be a finite number; it is 1e999"},
      {"tensor_model_parallel_size: 0", "must be between 1 and 1000000; it is 0"},
      {"tensor_model_parallel_size: 2000000", "must be between 1 and 1000000; it is 2000000"},
      {"exit_interval: 9000000000000", "must not exceed 1000000000000 in size; it is 9000000000000"},
      {"exit_interval: 99999999999999999999", "must be an integer, not the big integer 99999999999999999999"},
      {"profile_ranks: [0, one]", "must be a list of integers, not the list [0, \"one\"]"},
      {"moe_layer_freq: ([0]*3", "must be a positive integer, a list of 0 and 1, or an expression"},
      {"rotary_percent: 1.5", "must be between 0 and 1; it is 1.5"},
      {"adam_beta2: 1", "must be at least 0 and less than 1; it is 1"},
      {"hidden_dropout: 1.0", "must be at least 0 and less than 1; it is 1.0"},
      {"seed: -1", "must be between 0 and 4294967295; it is -1"},
      {"iterations_to_skip: [3, 0]", "must be greater than 0; it holds 0"},
      {"window_size: [-2, 0]", "must be at least -1; it holds -2"},
      {"data_path: '{a: 1}'", "must be a string or a list of strings"},
      {"torch_compile: fast", "must be a map, not the text 'fast'"},
  };
  for (const auto& [line, message] : cases) EXPECT_THAT(reason(line), HasSubstr(message)) << line;
}

}  // namespace
}  // namespace primus::config
