#include "config/yaml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/loader.h"
#include "config/print.h"
#include "config/suggest.h"
#include "core/file.h"
#include "tests/message_of.h"
#include "tests/temporary_directory.h"

namespace primus::config {
namespace {

using primus::testing::message_of;
using ::testing::AllOf;
using ::testing::HasSubstr;

std::string message_of_yaml(std::string_view text) {
  return message_of([&] { parse_yaml(text, "file.yaml"); });
}

TEST(Yaml, EveryValueRemembersTheLineOfItsKey) {
  const Value tree = parse_yaml("a: 1\nb:\n  c:\n    - x\n", "file.yaml");
  EXPECT_EQ(to_string(tree.map()->find("a")->origin.where()), "file.yaml:1");
  EXPECT_EQ(to_string(tree.map()->find("b")->map()->find("c")->origin.where()), "file.yaml:3");
}

TEST(Yaml, ADuplicateKeyIsAnErrorThatNamesBothLines) {
  EXPECT_THAT(message_of_yaml("a: 1\nb: 2\na: 3\n"),
              AllOf(HasSubstr("file.yaml:3"), HasSubstr("'a'"), HasSubstr("line 1 and on line 3")));
}

TEST(Yaml, BadSyntaxNamesTheLine) {
  EXPECT_THAT(message_of_yaml("a: 1\nb: [1, 2\nc: 3\n"), HasSubstr("file.yaml:"));
  EXPECT_THAT(message_of_yaml("a: b: c\n"), HasSubstr("file.yaml:1"));
}

TEST(Yaml, BytesThatAreNoUtf8AreRefused) {
  EXPECT_THAT(message_of_yaml("a: 1\nb: \xff\n"), AllOf(HasSubstr("file.yaml:2"), HasSubstr("UTF-8")));
  EXPECT_THAT(message_of_yaml("a: \xc0\x80\n"), HasSubstr("UTF-8"));
  for (const char* text :
       {"a: 1\nb: \x01\n", "a: 1\nb: \x7f\n", "a: 1\nb: \xc2\x80\n", "a: 1\nb: \xef\xbf\xbe\n"}) {
    EXPECT_THAT(message_of_yaml(text), AllOf(HasSubstr("file.yaml:2"), HasSubstr("control character")));
  }
  EXPECT_EQ(message_of_yaml("a: \xc3\xa9 \xf0\x9f\x98\x80\n"), "accepted");
}

TEST(Yaml, AKeyThatIsNoTextIsAnError) {
  EXPECT_THAT(message_of_yaml("on: 1\n"), AllOf(HasSubstr("file.yaml:1"), HasSubstr("quotes")));
}

TEST(Yaml, AliasesThatExplodeAreRefused) {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 9; ++i) {
    text += fmt::format("a{0}: &a{0} [*a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}]\n", i,
                        i - 1);
  }
  EXPECT_THAT(message_of_yaml(text), HasSubstr("million"));
}

TEST(Yaml, PrintedYamlReadsBackTheSame) {
  const Value tree = parse_yaml(
      "text: 'yes'\nnumber_text: '1e-5'\nfloat: 1.0e-5\nempty: ''\nnull_text: 'null'\nlist: [1, 'a, b', {k: "
      "v}]\n"
      "map: {}\nnested: {a: {b: [ ]}}\nspecial: \"tab\\t: # 'quote'\"\nbig: 123456789012345678901234567890\n"
      "infinite: .inf\ndate: 2025-01-02\n",
      "a.yaml");
  EXPECT_TRUE(same_content(parse_yaml(to_yaml(tree), "b.yaml"), tree)) << to_yaml(tree);
}

class Inheritance : public ::testing::Test {
 protected:
  void write(const std::string& name, const std::string& text) {
    write_file_atomically(directory_ / name, text);
  }
  Value load(const std::string& name) {
    return load_file(directory_ / name, Layer::experiment, [](const std::string&) { return std::nullopt; });
  }
  std::string message(const std::string& name) {
    return message_of([&] { load(name); });
  }

 private:
  primus::testing::TemporaryDirectory directory_;
};

TEST_F(Inheritance, ACircleIsAnErrorThatNamesTheFiles) {
  write("a.yaml", "extends: b.yaml\n");
  write("b.yaml", "extends: [a.yaml]\n");
  EXPECT_THAT(message("a.yaml"), HasSubstr("a.yaml -> b.yaml -> a.yaml"));
}

TEST_F(Inheritance, AMissingFileIsReportedWhereItIsNamed) {
  write("a.yaml", "x: 1\nextends: none.yaml\n");
  EXPECT_THAT(message("a.yaml"), AllOf(HasSubstr("a.yaml:2"), HasSubstr("none.yaml")));
}

TEST_F(Inheritance, ExtendsMergesDeeplyAndBasesHideWholeMaps) {
  write("base.yaml", "m: {a: 1, b: 2}\nx: base\n");
  write("extends.yaml", "extends: base.yaml\nm: {a: 3}\n");
  write("bases.yaml", "bases: [base.yaml]\nm: {a: 3}\n");
  EXPECT_EQ(to_json(*load("extends.yaml").map()->find("m"), JsonStyle::one_line), "{\"a\": 3, \"b\": 2}");
  EXPECT_EQ(to_json(*load("bases.yaml").map()->find("m"), JsonStyle::one_line), "{\"a\": 3}");
  EXPECT_EQ(*load("bases.yaml").map()->find("x")->text(), "base");
}

TEST_F(Inheritance, OfSeveralIncludesTheFirstWinsAndOfSeveralExtendsTheLast) {
  write("one.yaml", "x: 1\n");
  write("two.yaml", "x: 2\n");
  write("includes.yaml", "includes: [one.yaml, two.yaml]\n");
  write("extends.yaml", "extends: [one.yaml, two.yaml]\n");
  EXPECT_EQ(*load("includes.yaml").map()->find("x")->integer(), 1);
  EXPECT_EQ(*load("extends.yaml").map()->find("x")->integer(), 2);
}

TEST_F(Inheritance, AValueRemembersWhatItReplaced) {
  write("top.yaml", "x: 1\n");
  write("middle.yaml", "extends: top.yaml\nx: 2\n");
  write("leaf.yaml", "extends: middle.yaml\nx: 3\n");
  std::vector<std::int64_t> chain;
  const Value leaf = load("leaf.yaml");
  for (const Value* at = leaf.map()->find("x"); at != nullptr; at = at->replaced.get())
    chain.push_back(*at->integer());
  EXPECT_EQ(chain, (std::vector<std::int64_t>{3, 2, 1}));
}

TEST(NearestNames, ComeFromSlipsAndFromOtherOrdersOfTheWords) {
  const std::vector<std::string> known = {"train_iters", "train_samples", "eval_iters", "micro_batch_size"};
  EXPECT_EQ(nearest_names("trian_iters", known).front(), "train_iters");
  EXPECT_EQ(nearest_names("micro-batch-size", known).front(), "micro_batch_size");
  EXPECT_EQ(nearest_names("batch_size_micro", known).front(), "micro_batch_size");
  EXPECT_TRUE(nearest_names("zzz", known).empty());
}

}  // namespace
}  // namespace primus::config
