#include "pipeline/schedule.h"

namespace primus::pipeline {

Schedule schedule_without_pipelining(std::int64_t num_microbatches, int num_chunks) {
  Schedule schedule;
  for (std::int64_t m = 0; m < num_microbatches; ++m) {
    for (int chunk = 0; chunk < num_chunks; ++chunk)
      schedule.push_back({.kind = Action::Kind::forward, .chunk = chunk, .microbatch = m});
    for (int chunk = num_chunks - 1; chunk >= 0; --chunk)
      schedule.push_back({.kind = Action::Kind::backward, .chunk = chunk, .microbatch = m});
  }
  return schedule;
}

}  // namespace primus::pipeline
