#include "core/file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "core/error.h"
#include "core/hash.h"

namespace primus {
namespace {

namespace fs = std::filesystem;

class File : public ::testing::Test {
 protected:
  File() : folder_(fs::temp_directory_path() / fmt::format("primus-file-test-{}", ::getpid())) {
    fs::create_directories(folder_);
  }
  ~File() override { fs::remove_all(folder_); }

  std::size_t entries() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }

  fs::path folder_;
};

TEST_F(File, AnAtomicWriteReplacesTheContentAndLeavesNothingBehind) {
  write_file_atomically(folder_ / "pointer.txt", "100");
  write_file_atomically(folder_ / "pointer.txt", "200");
  EXPECT_EQ(read_file(folder_ / "pointer.txt"), "200");
  EXPECT_EQ(entries(), 1u);
}

TEST_F(File, TwoWhoWriteOneFileAtOnceDoNotDisturbEachOther) {
  const auto write = [](AtomicFile& file, std::string_view text) {
    file.write(std::as_bytes(std::span(text)));
  };
  AtomicFile first(folder_ / "index.npy"), second(folder_ / "index.npy");
  write(first, "first");
  write(second, "second");
  first.commit();
  EXPECT_EQ(read_file(folder_ / "index.npy"), "first");
  second.commit();
  EXPECT_EQ(read_file(folder_ / "index.npy"), "second");
  EXPECT_EQ(entries(), 1u);
}

TEST_F(File, AFailedAtomicWriteKeepsTheOldContent) {
  write_file_atomically(folder_ / "pointer.txt", "100");
  std::signal(SIGXFSZ, SIG_IGN);
  const rlimit tight{10, RLIM_INFINITY};
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  setrlimit(RLIMIT_FSIZE, &tight);
  EXPECT_THROW(write_file_atomically(folder_ / "pointer.txt", std::string(1000, 'x')), SystemError);
  setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_EQ(read_file(folder_ / "pointer.txt"), "100");
  EXPECT_EQ(entries(), 1u);
}

TEST_F(File, AWrongPathIsTheUsersToCorrectAndAFailingDiskIsNot) {
  for (const int number : {ENOENT, EACCES, ENOTDIR, EISDIR, ELOOP})
    EXPECT_THROW(throw_file_error("cannot read a", number), UserError) << number;
  for (const int number : {ENOSPC, EDQUOT, EIO, EROFS, EMFILE, ESTALE})
    EXPECT_THROW(throw_file_error("cannot read a", number), SystemError) << number;
  EXPECT_THROW(write_file_atomically(folder_ / "no" / "such" / "folder", "x"), UserError);
  EXPECT_THROW(make_directories("/proc/self/new"), UserError);
}

TEST_F(File, AnAtomicWriteThroughALinkKeepsTheLink) {
  write_file_atomically(folder_ / "file", "100");
  fs::create_symlink("file", folder_ / "link");
  write_file_atomically(folder_ / "link", "200");
  EXPECT_TRUE(fs::is_symlink(folder_ / "link"));
  EXPECT_EQ(read_file(folder_ / "file"), "200");
  EXPECT_EQ(entries(), 2u);
}

TEST_F(File, AMissingFileIsAUserErrorThatNamesIt) {
  try {
    read_file(folder_ / "absent.yaml");
    FAIL();
  } catch (const UserError& error) {
    EXPECT_NE(std::string(error.what()).find("absent.yaml"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("No such file"), std::string::npos);
  }
  EXPECT_THROW(MappedFile(folder_ / "absent.bin"), UserError);
  EXPECT_THROW(read_file(folder_), UserError);
}

TEST_F(File, AMappedFileShowsTheBytesAndMayBeEmpty) {
  write_file_atomically(folder_ / "a", "abc");
  write_file_atomically(folder_ / "empty", "");
  const MappedFile file(folder_ / "a");
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()), "abc");
  EXPECT_TRUE(MappedFile(folder_ / "empty").bytes().empty());
}

TEST_F(File, TheChecksumOfPiecesIsThatOfTheWhole) {
  const std::string text = "a whole text that is fed in two pieces";
  Checksum pieces;
  pieces.update(std::as_bytes(std::span(text).first(5)));
  pieces.update(std::as_bytes(std::span(text).subspan(5)));
  EXPECT_EQ(pieces.digest(), checksum(text));
  EXPECT_EQ(checksum(text).size(), 32u);
  EXPECT_NE(checksum(text), checksum("another"));
}

}  // namespace
}  // namespace primus
