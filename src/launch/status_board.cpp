#include "launch/status_board.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include "core/error.h"

namespace primus::launch {

namespace {

constexpr std::size_t text_words = 30;
constexpr std::size_t text_bytes = text_words * sizeof(std::uint64_t);

std::int64_t now_ms() {
  // Comes from CLOCK_MONOTONIC, which all processes of a machine share.
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

}  // namespace

/// The writer prepares the text that is not shown and then shows it by counting `version` up, so one complete
/// text is there at every moment, also when the writer is stopped or killed half-way. A reader that saw the
/// version change read a text that was perhaps being replaced, and reads again. Everything is atomic, so that
/// a torn read is impossible in the language's eyes as well.
struct StatusBoard::Slot {
  struct Text {
    std::atomic<std::int64_t> since_ms;
    std::array<std::atomic<std::uint64_t>, text_words> words;
  };
  std::atomic<std::uint64_t> progress;
  std::atomic<bool> blames_others;
  /// Its lowest bit selects the text that is shown.
  std::atomic<std::uint64_t> version;
  std::array<Text, 2> texts;
};

StatusBoard::StatusBoard(FileDescriptor file, int slots) : file_(std::move(file)), slots_(slots) {
  static_assert(std::atomic<std::uint64_t>::is_always_lock_free);
  void* mapped = ::mmap(nullptr, slots_ * sizeof(Slot), PROT_READ | PROT_WRITE, MAP_SHARED, file_.get(), 0);
  if (mapped == MAP_FAILED) throw SystemError("cannot map the status board", errno);
  memory_ = static_cast<std::byte*>(mapped);
}

StatusBoard::StatusBoard(StatusBoard&& other) noexcept
    : file_(std::move(other.file_)), slots_(other.slots_), memory_(std::exchange(other.memory_, nullptr)) {}

StatusBoard::~StatusBoard() {
  if (memory_ != nullptr) ::munmap(memory_, slots_ * sizeof(Slot));
}

StatusBoard StatusBoard::create(int slots) {
  // Not close-on-exec: the ranks inherit it.
  FileDescriptor file(::memfd_create("primus-status", 0));
  if (!file.valid()) throw SystemError("cannot create the status board", errno);
  if (::ftruncate(file.get(), static_cast<off_t>(slots * sizeof(Slot))) != 0) {
    throw SystemError("cannot size the status board", errno);
  }
  return {std::move(file), slots};
}

StatusBoard StatusBoard::attach(int descriptor) {
  FileDescriptor file(::dup(descriptor));
  struct stat info{};
  if (!file.valid() || ::fstat(file.get(), &info) != 0 || info.st_size % sizeof(Slot) != 0) {
    throw Error(fmt::format("descriptor {} holds no status board", descriptor));
  }
  return {std::move(file), static_cast<int>(info.st_size / sizeof(Slot))};
}

StatusBoard::Slot& StatusBoard::at(int slot) const {
  if (slot < 0 || slot >= slots_) throw Error(fmt::format("the status board has no slot {}", slot));
  return reinterpret_cast<Slot*>(memory_)[slot];
}

void StatusBoard::say(int slot, std::string_view text) {
  std::array<std::uint64_t, text_words> words{};
  std::memcpy(words.data(), text.data(), std::min(text.size(), text_bytes - 1));
  Slot& target = at(slot);
  const std::uint64_t next = target.version.load() + 1;
  Slot::Text& hidden = target.texts[next % 2];
  for (std::size_t i = 0; i < text_words; ++i) hidden.words[i].store(words[i]);
  hidden.since_ms.store(now_ms());
  target.version.store(next);
}

void StatusBoard::add_progress(int slot) { at(slot).progress.fetch_add(1); }

void StatusBoard::blame_others(int slot) { at(slot).blames_others.store(true); }

RankStatus StatusBoard::read(int slot) const {
  const Slot& source = at(slot);
  std::array<std::uint64_t, text_words> words{};
  RankStatus status;
  for (std::uint64_t before = source.version.load(), after = before;; before = after) {
    const Slot::Text& shown = source.texts[before % 2];
    for (std::size_t w = 0; w < text_words; ++w) words[w] = shown.words[w].load();
    status.since = std::chrono::milliseconds(now_ms() - shown.since_ms.load());
    after = source.version.load();
    if (after == before) break;
  }
  const char* text = reinterpret_cast<const char*>(words.data());
  status.text.assign(text, ::strnlen(text, text_bytes));
  status.progress = source.progress.load();
  status.blames_others = source.blames_others.load();
  return status;
}

}  // namespace primus::launch
