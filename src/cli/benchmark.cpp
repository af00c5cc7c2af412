// primus-cli benchmark: gemm | attention | layer (step: benchmark_step.cpp)
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <torch/csrc/autograd/autograd.h>

#include <cstdio>
#include <functional>

#include "cli/benchmark_commands.h"
#include "cli/commands.h"
#include "core/error.h"
#include "kernels/activation.h"
#include "kernels/attention.h"
#include "kernels/cpu/allocator.h"
#include "kernels/cpu/features.h"
#include "kernels/cross_entropy.h"
#include "kernels/linear.h"
#include "kernels/norm.h"
#include "kernels/rope.h"
#include "plan/timing.h"

namespace primus::cli {

namespace {

struct BenchmarkOptions {
  std::string dtype = "bf16";
  int repeats = 7;
  std::int64_t seq_length = 1024;
  std::int64_t micro_batch_size = 2;
  std::int64_t hidden_size = 768;
  std::int64_t ffn_hidden_size = 2048;
  std::int64_t heads = 12;
  std::int64_t groups = 4;
  std::int64_t head_size = 64;
  std::int64_t vocabulary = 32000;
  bool reference = false;

  at::ScalarType scalar_type() const { return dtype == "bf16" ? at::kBFloat16 : at::kFloat; }
  kernels::KernelOptions kernels() const {
    return reference ? kernels::KernelOptions{} : kernels::KernelOptions::all_fused();
  }
  std::int64_t tokens() const { return seq_length * micro_batch_size; }
};

/// One line of the table: an operator forward and backward, measured in turn with the peak.
struct Operator {
  std::string name;
  /// Floating-point operations of the forward; 0: a pass over memory, for which a rate says nothing.
  double flops = 0;
  /// Of the backward, as a multiple of the forward's.
  double backward_factor = 2;
  std::vector<at::Tensor> leaves;
  std::function<at::Tensor()> forward;
};

void run_operator(const Operator& op, const plan::GemmPeak& peak, int repeats) {
  std::vector<double> peaks, forward_times, backward_times;
  for (int i = 0; i <= repeats; ++i) {
    at::Tensor y;
    const double forward = plan::seconds_of([&] { y = op.forward(); });
    const at::Tensor dy = at::ones_like(y);
    // Not grad(): it would leave out the gradients of weights, which go to sinks.
    const double backward = plan::seconds_of([&] {
      if (y.requires_grad()) torch::autograd::backward({y}, {dy});
    });
    for (const at::Tensor& leaf : op.leaves) leaf.mutable_grad().reset();
    if (i == 0) continue;  // makes the micro-kernels
    peaks.push_back(peak.measure());
    forward_times.push_back(forward);
    backward_times.push_back(backward);
  }
  const double rate = plan::median(peaks);
  const auto column = [&](double time, double flops) {
    const double gflops = flops / time / 1e9;
    return flops > 0 ? fmt::format("{:9.2f} {:8.0f} {:5.0f} %", time * 1e3, gflops, 100 * gflops / rate)
                     : fmt::format("{:9.2f} {:>8} {:>5}  ", time * 1e3, "", "");
  };
  std::fputs(fmt::format("{:34} {} {} {:8.0f}\n", op.name, column(plan::median(forward_times), op.flops),
                         column(plan::median(backward_times), op.flops * op.backward_factor), rate)
                 .c_str(),
             stdout);
  std::fflush(stdout);
}

void print_head(const BenchmarkOptions& options) {
  std::fputs(fmt::format(
                 "{}\n{} kernels, {}, medians of {}; times in ms, rates in GFLOP/s, share of the GEMM "
                 "rate measured in between\n{:34} {:>9} {:>8} {:>7} {:>9} {:>8} {:>7} {:>8}\n",
                 kernels::cpu::describe_cpu(), options.reference ? "reference" : "fused", options.dtype,
                 options.repeats, "operator", "forward", "rate", "share", "backward", "rate", "share", "GEMM")
                 .c_str(),
             stdout);
}

at::Tensor leaf(at::IntArrayRef shape, at::ScalarType dtype) {
  return at::randn(shape).to(dtype).requires_grad_();
}

Operator linear_operator(const BenchmarkOptions& options, std::int64_t in, std::int64_t out) {
  const at::ScalarType dtype = options.scalar_type();
  const at::Tensor x = leaf({options.tokens(), in}, dtype);
  auto sink = c10::make_intrusive<kernels::GradientSink>();
  sink->main_grad = at::zeros({out, in});
  const kernels::Weight weight{leaf({out, in}, dtype), sink};
  return {fmt::format("linear {} x {} -> {}", options.tokens(), in, out),
          2.0 * static_cast<double>(options.tokens() * in * out),
          2,
          {x},
          [x, weight, kernels = options.kernels()] { return kernels::linear(x, weight, {}, kernels); }};
}

Operator attention_operator(const BenchmarkOptions& options) {
  const std::int64_t s = options.seq_length, per_group = options.heads / options.groups;
  const at::Tensor qkv = leaf({s, options.micro_batch_size, options.groups, per_group + 2, options.head_size},
                              options.scalar_type());
  const double flops = 2.0 * static_cast<double>(options.micro_batch_size * options.heads * s * s) *
                       static_cast<double>(options.head_size);
  return {
      fmt::format("attention ({}, {}/{}, {}, {})", options.micro_batch_size, options.heads, options.groups, s,
                  options.head_size),
      flops,
      2.5,
      {qkv},
      [qkv, kernels = options.kernels()] { return kernels::attention_packed(qkv, {}, {}, {}, {}, kernels); }};
}

void benchmark_gemm(const BenchmarkOptions& options) {
  print_head(options);
  const plan::GemmPeak peak(options.scalar_type());
  const std::int64_t h = options.hidden_size, f = options.ffn_hidden_size;
  const std::int64_t qkv = (options.heads + 2 * options.groups) * options.head_size;
  for (const auto& [in, out] : std::vector<std::pair<std::int64_t, std::int64_t>>{
           {h, qkv}, {options.heads * options.head_size, h}, {h, 2 * f}, {f, h}, {h, options.vocabulary}}) {
    run_operator(linear_operator(options, in, out), peak, options.repeats);
  }
}

void benchmark_attention(const BenchmarkOptions& options) {
  print_head(options);
  run_operator(attention_operator(options), plan::GemmPeak(options.scalar_type()), options.repeats);
}

/// The passes over memory of one layer, and the output layer with the loss.
std::vector<Operator> other_operators(const BenchmarkOptions& options) {
  const at::ScalarType dtype = options.scalar_type();
  const kernels::KernelOptions kernels = options.kernels();
  const std::int64_t s = options.seq_length, b = options.micro_batch_size, h = options.hidden_size;
  const at::Tensor x = leaf({s, b, h}, dtype);
  const kernels::Weight norm{leaf({h}, dtype), nullptr};
  const at::Tensor gate_and_up = leaf({s, b, 2 * options.ffn_hidden_size}, dtype);
  const at::Tensor qkv =
      leaf({s, b, options.groups, options.heads / options.groups + 2, options.head_size}, dtype);
  kernels::RopeConfig rope;
  rope.dim = options.head_size;
  const kernels::RopeTable table = kernels::rope_table(rope, at::arange(s));
  auto sink = c10::make_intrusive<kernels::GradientSink>();
  sink->main_grad = at::zeros({options.vocabulary, h});
  const kernels::Weight output{(at::randn({options.vocabulary, h}) * 0.02).to(dtype).requires_grad_(), sink};
  const at::Tensor labels = at::randint(options.vocabulary, {s, b}), ones = at::ones({s, b});
  return {
      {"RMSNorm", 0, 0, {x, norm.value}, [=] { return kernels::rms_norm(x, norm, 1e-5, false, kernels); }},
      {"RoPE", 0, 0, {qkv}, [=] { return kernels::apply_rope_packed(qkv, table, kernels); }},
      {"SwiGLU",
       0,
       0,
       {gate_and_up},
       [=] { return kernels::activation(gate_and_up, {}, kernels::Activation::swiglu, kernels); }},
      // Its gradients are taken with its losses.
      {"output layer and cross entropy",
       6.0 * static_cast<double>(options.tokens() * h * options.vocabulary),
       0.0,
       {},
       [=] {
         return kernels::linear_cross_entropy_with_gradients(x, output, labels, ones, {}, 0.0, kernels)
             .losses;
       }},
  };
}

void benchmark_layer(const BenchmarkOptions& options) {
  benchmark_gemm(options);
  const plan::GemmPeak peak(options.scalar_type());
  run_operator(attention_operator(options), peak, options.repeats);
  for (const Operator& op : other_operators(options)) {
    run_operator(op, peak, options.repeats);
  }
}

void check(const BenchmarkOptions& options) {
  if (options.heads % options.groups != 0) {
    throw UserError(fmt::format("--num-attention-heads {} is not a multiple of --num-query-groups {}",
                                options.heads, options.groups));
  }
}

void add_one(CLI::App& parent, const char* name, const char* description,
             void (*run)(const BenchmarkOptions&)) {
  CLI::App* command = parent.add_subcommand(name, description);
  auto options = std::make_shared<BenchmarkOptions>();
  const auto size = [&](const char* flag, std::int64_t& value, const char* text) {
    command->add_option(flag, value, text)->check(CLI::PositiveNumber)->capture_default_str();
  };
  command->add_option("--dtype", options->dtype, "bf16 or fp32")
      ->check(CLI::IsMember({"bf16", "fp32"}))
      ->capture_default_str();
  command->add_option("--repeats", options->repeats, "Measurements; the median is printed")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  size("--seq-length", options->seq_length, "Sequence length");
  size("--micro-batch-size", options->micro_batch_size, "Samples");
  size("--hidden-size", options->hidden_size, "Hidden size");
  size("--ffn-hidden-size", options->ffn_hidden_size, "Width of the MLP, one branch");
  size("--num-attention-heads", options->heads, "Query heads");
  size("--num-query-groups", options->groups, "Key and value heads");
  size("--kv-channels", options->head_size, "Head size");
  size("--vocab-size", options->vocabulary, "Vocabulary");
  command->add_flag("--reference", options->reference, "Measure the reference operators instead");
  command->callback([options, run] {
    check(*options);
    kernels::cpu::install_caching_allocator();
    run(*options);
  });
}

}  // namespace

void add_benchmark(CLI::App& program) {
  CLI::App* command = program.add_subcommand("benchmark", "Measure operators on this machine");
  command->require_subcommand(1);
  add_one(*command, "gemm", "The linear layers of a model", benchmark_gemm);
  add_one(*command, "attention", "Causal attention", benchmark_attention);
  add_one(*command, "layer", "Every operator of a layer, and the output layer with the loss",
          benchmark_layer);
  add_benchmark_step(*command);
}

}  // namespace primus::cli
