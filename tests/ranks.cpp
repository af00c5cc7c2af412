#include "tests/ranks.h"

#include <ATen/Parallel.h>
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <numeric>

#include "core/file.h"

namespace primus::parallel {

namespace {

/// A listening socket on a free port of this machine, which rank 0 inherits.
FileDescriptor listen_anywhere(int& port) {
  FileDescriptor listener(::socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::listen(listener.get(), 128) != 0 ||
      ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    ADD_FAILURE() << "cannot listen";
  }
  port = ntohs(address.sin_port);
  return listener;
}

[[noreturn]] void run_one(const launch::World& world, const JoinOptions& join, int out,
                          const std::function<void(std::shared_ptr<Communicator>)>& body) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  at::set_num_threads(1);
  std::string error;
  try {
    const auto communicator = Communicator::join(world, join);
    body(communicator);
  } catch (const std::exception& thrown) {
    error = thrown.what();
  }
  const bool passed = error.empty() && !::testing::Test::HasFailure();
  std::fflush(nullptr);
  if (::write(out, error.data(), error.size()) < 0) std::_Exit(3);
  std::_Exit(passed ? 0 : 1);
}

std::string read_all(int descriptor) {
  std::string text;
  std::array<char, 4096> buffer;
  for (ssize_t n; (n = ::read(descriptor, buffer.data(), buffer.size())) > 0;) text.append(buffer.data(), n);
  return text;
}

}  // namespace

std::vector<RankResult> run_ranks_to_end(const RankOptions& options,
                                         const std::function<void(std::shared_ptr<Communicator>)>& body) {
  int port = 0;
  const FileDescriptor listener = listen_anywhere(port);
  ::setenv("PRIMUS_STORE_DESCRIPTOR", std::to_string(listener.get()).c_str(), 1);
  std::vector<pid_t> children;
  std::vector<FileDescriptor> outputs;
  for (int rank = 0; rank < options.ranks; ++rank) {
    std::array<int, 2> ends;
    if (::pipe(ends.data()) != 0) std::abort();
    launch::World world{.rank = rank, .size = options.ranks, .local_rank = rank, .local_size = options.ranks};
    world.master_port = port;
    JoinOptions join = options.join;
    if (options.adjust) options.adjust(world, join);
    std::fflush(nullptr);
    const pid_t child = ::fork();
    if (child == 0) run_one(world, join, ends[1], body);
    ::close(ends[1]);
    children.push_back(child);
    outputs.emplace_back(ends[0]);
  }
  std::vector<RankResult> results;
  for (int rank = 0; rank < options.ranks; ++rank) {
    RankResult result;
    result.error = read_all(outputs[rank].get());
    int status = 0;
    ::waitpid(children[rank], &status, 0);
    result.passed = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    results.push_back(result);
  }
  return results;
}

void run_ranks(int ranks, const std::function<void(std::shared_ptr<Communicator>)>& body) {
  const auto results = run_ranks_to_end({.ranks = ranks}, body);
  for (int rank = 0; rank < ranks; ++rank) {
    EXPECT_TRUE(results[rank].passed) << "rank " << rank << ": " << results[rank].error;
  }
}

std::vector<int> all_ranks(int n) {
  std::vector<int> ranks(n);
  std::iota(ranks.begin(), ranks.end(), 0);
  return ranks;
}

}  // namespace primus::parallel
