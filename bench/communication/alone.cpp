// The parallel module's communication, compiled out: groups that are always one process, without store,
// transport, task queue or account. What is left of group.cpp, communicator.cpp and their like for a program
// that can only run alone.

#include <ATen/Functions.h>

#include <torch/csrc/distributed/c10d/Store.hpp>

#include "parallel/communicator.h"
#include "parallel/group.h"
#include "parallel/lifeline.h"
#include "parallel/task_queue.h"

namespace primus::parallel {

namespace {

const std::vector<int> only_rank = {0};
const std::string no_name = "alone";

}  // namespace

struct Group::State {};
struct TaskQueue::State {};
struct Transport::Interface {};

Communicator::~Communicator() = default;
Lifeline::~Lifeline() = default;
Transport::~Transport() = default;
Group Communicator::group(const std::string&, const std::vector<int>&) { return {}; }

int Group::rank() const { return 0; }
int Group::size() const { return 1; }
const std::vector<int>& Group::ranks() const { return only_rank; }
const std::string& Group::name() const { return no_name; }
void Group::all_reduce(const at::Tensor&, Reduction) const {}
at::Tensor Group::all_gather(const at::Tensor& local, std::int64_t) const { return local; }
at::Tensor Group::reduce_scatter(const at::Tensor& whole, std::int64_t) const { return whole; }
at::Tensor Group::all_to_all(const at::Tensor& rows, at::IntArrayRef, at::IntArrayRef) const { return rows; }
void Group::broadcast(const at::Tensor&, int) const {}
void Group::barrier() const {}
std::vector<std::string> Group::all_gather_text(const std::string& text) const { return {text}; }
Pending Group::start_all_reduce(const at::Tensor&, Reduction) const { return {}; }
Pending Group::start_all_gather(const at::Tensor&, const at::Tensor&) const { return {}; }
Pending Group::start_reduce_scatter(const at::Tensor&, const at::Tensor&) const { return {}; }
Pending Group::start_send(const at::Tensor&, int) const { return {}; }
Pending Group::start_receive(const at::Tensor&, int) const { return {}; }

}  // namespace primus::parallel
