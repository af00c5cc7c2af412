#include "checkpoint/safetensors.h"

#include <ATen/Functions.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "core/error.h"
#include "tests/temporary_directory.h"

namespace primus::checkpoint {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::TemporaryDirectory;
using ::testing::ThrowsMessage;

/// Made by the original library: tests/parity/make_safetensors_fixture.py.
const std::filesystem::path original =
    std::filesystem::path(PRIMUS_SOURCE_DIR) / "tests/checkpoint/fixtures/original.safetensors";

at::Tensor ramp(at::ScalarType dtype, at::IntArrayRef shape) {
  return at::arange(c10::multiply_integers(shape)).view(shape).to(dtype);
}

std::map<std::string, at::Tensor> fixture_tensors() {
  return {{"b.weight", ramp(at::kFloat, {2, 3})},
          {"a.bias", ramp(at::kFloat, {3})},
          {"half", ramp(at::kHalf, {5})},
          {"ids", ramp(at::kLong, {2, 2})},
          {"mask", ramp(at::kByte, {7})},
          {"empty", ramp(at::kFloat, {0, 4})},
          {"scalar", at::scalar_tensor(3.5, at::kDouble)},
          {"a \"quoted\" name", ramp(at::kInt, {1})},
          {"brain", at::tensor(at::ArrayRef<double>{1, -2, 0.5}).to(at::kBFloat16)}};
}

/// Without the fsync of write_file_atomically, which hundreds of small files would wait for.
void write_quickly(const std::filesystem::path& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

/// A file with this header and so many data bytes.
void write_raw(const std::filesystem::path& path, const std::string& header, std::size_t data_size) {
  const std::uint64_t size = header.size();
  std::string content(reinterpret_cast<const char*>(&size), sizeof size);
  write_quickly(path, content + header + std::string(data_size, '\0'));
}

TEST(Safetensors, ReadsAFileOfTheOriginalLibrary) {
  const SafetensorsFile file(original);
  EXPECT_EQ(file.metadata(), (Metadata{{"format", "pt"}}));
  const auto expected = fixture_tensors();
  ASSERT_EQ(file.tensors().size(), expected.size());
  for (const auto& [name, tensor] : expected) {
    EXPECT_EQ(file.tensor(name).scalar_type(), tensor.scalar_type()) << name;
    EXPECT_TRUE(at::equal(file.tensor(name), tensor)) << name;
  }
}

TEST(Safetensors, WritesTheBytesThatTheOriginalLibraryWrites) {
  const TemporaryDirectory directory;
  write_safetensors(directory / "ours", fixture_tensors(), {{"format", "pt"}});
  EXPECT_EQ(read_file(directory / "ours"), read_file(original));
}

TEST(Safetensors, ATensorKeepsTheMappingAlive) {
  at::Tensor tensor;
  {
    const SafetensorsFile file(original);
    tensor = file.tensor("ids");
  }
  EXPECT_EQ(tensor.sum().item<std::int64_t>(), 6);
}

TEST(Safetensors, AnUnknownTensorIsNamed) {
  const SafetensorsFile file(original);
  EXPECT_EQ(file.find("no.such"), nullptr);
  EXPECT_THAT([&] { file.tensor("no.such"); },
              ThrowsMessage<UserError>(AllOf(HasSubstr(original.string()), HasSubstr("no.such"))));
}

TEST(Safetensors, AFileCutOffAnywhereIsRefused) {
  const TemporaryDirectory directory;
  const std::string whole = read_file(original);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    write_quickly(directory / "cut", whole.substr(0, size));
    EXPECT_THROW(SafetensorsFile(directory / "cut"), UserError) << size;
  }
  write_quickly(directory / "cut", whole + "x");
  EXPECT_THROW(SafetensorsFile(directory / "cut"), UserError);
}

TEST(Safetensors, AFlippedHeaderByteIsRefusedOrReadsOtherNamesButNeverCrashes) {
  const TemporaryDirectory directory;
  const std::string whole = read_file(original);
  for (std::size_t at = 0; at < whole.size(); at += 3) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x11);
    write_quickly(directory / "flipped", damaged);
    try {
      const SafetensorsFile file(directory / "flipped");
      for (const TensorInfo& info : file.tensors()) EXPECT_EQ(file.bytes(info).size(), info.byte_size());
    } catch (const UserError&) {
    }
  }
}

TEST(Safetensors, BadHeadersAreRefusedWithTheReason) {
  const TemporaryDirectory directory;
  const std::vector<std::tuple<std::string, std::size_t, std::string>> cases = {
      {"[1]", 0, "not a JSON object"},
      {"{\"a\":", 0, "not a JSON object"},
      {R"({"a":{"dtype":"F32","shape":[1]}})", 4, "tensor a lacks"},
      {R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4, "tensor a lacks"},
      {R"({"a":{"dtype":"F31","shape":[1],"data_offsets":[0,4]}})", 4, "unknown dtype F31"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4, "needs 8 bytes"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", 4, "needs 4 bytes"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 4, "cut off: tensor a"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", 8, "tensor a starts at byte"},
      {R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 0,
       "impossible shape"},
      {R"({"__metadata__":{"a":1}})", 0, "__metadata__"},
  };
  for (const auto& [header, data_size, reason] : cases) {
    write_raw(directory / "bad", header, data_size);
    EXPECT_THAT([&] { SafetensorsFile(directory / "bad"); },
                ThrowsMessage<UserError>(AllOf(HasSubstr("bad"), HasSubstr(reason))))
        << header;
  }
}

TEST(Safetensors, AWriterRefusesWhatWasNotAnnounced) {
  const TemporaryDirectory directory;
  SafetensorsWriter writer(directory / "w", {{.name = "a", .dtype = at::kFloat, .shape = {2}, .offset = 0}});
  EXPECT_THROW(writer.write("b", at::zeros({2})), Error);
  EXPECT_THROW(writer.write("a", at::zeros({3})), Error);
  EXPECT_THROW(writer.write("a", at::zeros({2}, at::kDouble)), Error);
  EXPECT_THAT([&] { writer.finish(); }, ThrowsMessage<Error>(HasSubstr("tensor a was never written")));
  writer.write("a", at::ones({2}));
  writer.finish();
  EXPECT_TRUE(at::equal(SafetensorsFile(directory / "w").tensor("a"), at::ones({2})));
}

TEST(Safetensors, AFullDiskIsASystemError) {
  EXPECT_THAT([] { write_safetensors("/dev/full", {{"a", at::zeros({2})}}); },
              ThrowsMessage<SystemError>(HasSubstr("No space left")));
}

}  // namespace
}  // namespace primus::checkpoint
