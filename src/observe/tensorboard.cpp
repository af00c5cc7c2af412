#include "observe/tensorboard.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <chrono>
#include <cstring>

#include "core/error.h"

namespace primus::observe {

namespace {

static_assert(std::endian::native == std::endian::little, "protobuf and TFRecord are little-endian");

constexpr std::array<std::uint32_t, 256> make_crc_table() {
  constexpr std::uint32_t reversed_polynomial = 0x82F63B78;
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < table.size(); ++byte) {
    std::uint32_t value = byte;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1U) != 0 ? reversed_polynomial : 0U);
    table[byte] = value;
  }
  return table;
}

// Protobuf wire format: a key is field number · 8 + wire type.
enum WireType : std::uint32_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

void put_varint(std::string& out, std::uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

void put_key(std::string& out, std::uint32_t field, WireType type) { put_varint(out, field << 3 | type); }

template <typename Value>
void put_raw(std::string& out, Value value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void put_bytes(std::string& out, std::uint32_t field, const std::string& content) {
  put_key(out, field, bytes);
  put_varint(out, content.size());
  out += content;
}

double seconds_since_epoch() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// Event { double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary = 5; }
std::string event_start() {
  std::string event;
  put_key(event, 1, fixed64);
  put_raw(event, seconds_since_epoch());
  return event;
}

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "localhost";
}

}  // namespace

TensorBoardWriter::TensorBoardWriter(const std::filesystem::path& folder) {
  make_directories(folder);
  path_ = folder / fmt::format("events.out.tfevents.{}.{}.{}.0",
                               static_cast<std::int64_t>(seconds_since_epoch()), host_name(), ::getpid());
  file_ = open_for_writing(path_);
  std::string event = event_start();
  put_bytes(event, 3, "brain.Event:2");
  write_record(event);
}

void TensorBoardWriter::add(std::int64_t step, const Scalars& scalars) {
  // Summary { repeated Value value = 1; }  Value { string tag = 1; float simple_value = 2; }
  std::string summary;
  for (const auto& [tag, value] : scalars) {
    std::string entry;
    put_bytes(entry, 1, tag);
    put_key(entry, 2, fixed32);
    put_raw(entry, static_cast<float>(value));
    put_bytes(summary, 1, entry);
  }
  std::string event = event_start();
  put_key(event, 2, varint);
  put_varint(event, static_cast<std::uint64_t>(step));
  put_bytes(event, 5, summary);
  write_record(event);
}

void TensorBoardWriter::write_record(const std::string& event) {
  const std::uint64_t length = event.size();
  std::string record;
  put_raw(record, length);
  put_raw(record, masked_crc32c(std::as_bytes(std::span(&length, 1))));
  record += event;
  put_raw(record, masked_crc32c(std::as_bytes(std::span(event))));
  write_all(file_, std::as_bytes(std::span(record)), path_);
}

std::uint32_t crc32c(std::span<const std::byte> data) {
  static constexpr auto table = make_crc_table();
  std::uint32_t crc = 0xFFFFFFFF;
  for (const std::byte byte : data) crc = table[(crc ^ static_cast<std::uint32_t>(byte)) & 0xFF] ^ (crc >> 8);
  return ~crc;
}

std::uint32_t masked_crc32c(std::span<const std::byte> data) {
  const std::uint32_t crc = crc32c(data);
  return ((crc >> 15) | (crc << 17)) + 0xA282EAD8;
}

}  // namespace primus::observe
