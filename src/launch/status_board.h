#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/file.h"

namespace primus::launch {

/// What one rank says about itself.
struct RankStatus {
  /// Grows with every finished collective and every training iteration.
  std::uint64_t progress = 0;
  /// What the rank is doing, e.g. "in all_reduce of 4096 bytes on group tp, ranks 0 1".
  std::string text;
  /// How long it has been doing it.
  std::chrono::milliseconds since{0};
  /// It failed because another rank did: the cause is to be looked for there.
  bool blames_others = false;
};

/// A page of memory that the local ranks share with their supervisor. Each rank writes what it is doing into
/// its slot, which costs well under a microsecond, and the supervisor can read it even when the rank is
/// stopped, stuck or dead, even in the middle of writing. One writer per slot at a time; readers never block
/// the writer.
class StatusBoard {
 public:
  /// A board of this process's making, inherited by its children through `descriptor()`.
  static StatusBoard create(int slots);
  /// The board behind a descriptor that was inherited; throws Error when it is none.
  static StatusBoard attach(int descriptor);

  StatusBoard(StatusBoard&& other) noexcept;
  StatusBoard& operator=(StatusBoard&&) = delete;
  ~StatusBoard();

  int slots() const { return slots_; }
  int descriptor() const { return file_.get(); }

  /// Texts longer than a slot holds (about 240 bytes) are cut.
  void say(int slot, std::string_view text);
  void add_progress(int slot);
  void blame_others(int slot);

  RankStatus read(int slot) const;

 private:
  struct Slot;
  StatusBoard(FileDescriptor file, int slots);
  Slot& at(int slot) const;

  FileDescriptor file_;
  int slots_;
  std::byte* memory_ = nullptr;
};

/// The variable through which a rank finds the board: "<descriptor>:<slot>".
inline constexpr const char* status_board_variable = "PRIMUS_STATUS_BOARD";

}  // namespace primus::launch
