#include "core/file_kind.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"

namespace primus {
namespace {

using namespace std::string_view_literals;
using ::testing::StartsWith;
using ::testing::ThrowsMessage;

TEST(FileKind, NamesWhatIsNoText) {
  for (const auto& [bytes, kind] :
       {std::pair("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"sv,
                  "a Git LFS pointer"),
        {"\xFF\xFE{\0\"\0"sv, "UTF-16"},
        {"\xFE\xFF\0{\0\""sv, "UTF-16"},
        {"\xFF\xFE\0\0{\0\0\0"sv, "UTF-32"},
        {"\0\0\xFE\xFF\0\0\0{"sv, "UTF-32"},
        {"{\0\"\0t\0e\0x\0"sv, "UTF-16"},
        {"\0{\0\"\0t\0e\0x"sv, "UTF-16"},
        {"{\0\0\0\"\0\0\0t\0\0\0"sv, "UTF-32"},
        {"\0\0\0{\0\0\0\"\0\0\0t"sv, "UTF-32"},
        {"\x28\xB5\x2F\xFD..."sv, "zstd"},
        {"PAR1\x15..."sv, "a Parquet table"},
        {"PK\x03\x04...."sv, "a ZIP archive"},
        {"\x80\x04\x95\0"sv, "a Python pickle"},
        {"BZh91AY&SY"sv, "bzip2"}})
    EXPECT_THAT(std::string(foreign_kind(bytes).value_or("nothing")), StartsWith(kind));
  const std::string tar = "name" + std::string(253, '\0') + "ustar";
  EXPECT_THAT(std::string(foreign_kind(tar).value_or("nothing")), StartsWith("a tar archive"));
}

TEST(FileKind, LeavesTextAndNumbersAlone) {
  for (const auto bytes : {"\x05\0\0\0\x07\0\0\0\x09\0\0\0"sv, ""sv, "a"sv, "PAR"sv, "{\"text\": \"a\"}\n"sv,
                           "\xEF\xBB\xBF{}"sv, "na\xC3\xAFve text"sv, "PAR1 is a word"sv, "BZh9"sv, "ORCA"sv,
                           "a text with one \0 zero byte"sv, "\0\0\0\0\0\0\0\0"sv})
    EXPECT_FALSE(foreign_kind(bytes)) << bytes;
}

TEST(FileKind, AFileWithAFormatOfItsOwnIsNoWebPageEither) {
  for (const char* page :
       {"<!DOCTYPE html><title>404</title>", "\xEF\xBB\xBF\n<!doctype HTML>", "<html lang=en>"}) {
    EXPECT_FALSE(foreign_kind(page)) << "a corpus may hold it";
    EXPECT_THAT([&] { refuse_foreign_file(page, "f.json"); },
                ThrowsMessage<UserError>("f.json: this is a web page: the download went wrong"));
  }
  EXPECT_NO_THROW(refuse_foreign_file("<|endoftext|>", "f.txt"));
}

}  // namespace
}  // namespace primus
