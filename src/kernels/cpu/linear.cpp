#include "kernels/cpu/linear.h"

#include <ATen/ops/empty.h>

#include "kernels/cpu/isa/gemm.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/types.h"

namespace primus::kernels::cpu {

namespace {

/// Rows of a task at most: with more its sums leave the second-level cache.
constexpr std::int64_t most_rows = 2048;

/// Tensor as the kernels read it: elements of a row next to each other, rows an even distance apart.
at::Tensor readable_matrix(const at::Tensor& x) {
  return x.stride(1) == 1 && x.stride(0) % 2 == 0 ? x : x.contiguous();
}

/// Rows per task such that every thread has a few tasks.
std::int64_t rows_per_task(std::int64_t rows, std::int64_t groups) {
  std::int64_t part = std::min(rows, most_rows);
  while ((rows + part - 1) / part * groups < 4 * at::get_num_threads() && part > 2 * row_block) {
    part = (part / 2 + row_block - 1) / row_block * row_block;
  }
  return part;
}

template <class T, class P, Isa isa>
void run(const Gemm<T, P>& call) {
  const std::int64_t groups = call.groups();
  const std::int64_t part = rows_per_task(call.m, groups);
  const std::int64_t parts = (call.m + part - 1) / part;
  run_tasks(groups * parts, [&] {
    const at::Tensor scratch = at::empty({call.scratch_words(part)}, at::kFloat);
    return [&call, part, parts, scratch](std::int64_t task) {
      const std::int64_t first = task % parts * part;
      gemm_group<isa>(call, first, std::min(part, call.m - first), task / parts,
                      scratch.template mutable_data_ptr<float>());
    };
  });
}

at::Tensor product(const at::Tensor& a, const at::Tensor& b, bool b_transposed,
                   const std::optional<at::Tensor>& bias, Isa isa) {
  const at::Tensor left = readable_matrix(a), right = readable_matrix(b);
  const at::Tensor added = bias ? bias->to(a.scalar_type()).contiguous() : at::Tensor();
  at::Tensor c = at::empty({a.size(0), b.size(b_transposed ? 0 : 1)}, left.options());
  with_operand_types(a.scalar_type(), isa, [&]<class T, class P, Isa level>() {
    Gemm<T, P> call{.m = a.size(0), .n = c.size(1), .k = a.size(1)};
    call.a = left.const_data_ptr<T>();
    call.lda = left.stride(0);
    call.b = right.const_data_ptr<T>();
    call.ldb = right.stride(0);
    call.b_transposed = b_transposed;
    call.bias = added.defined() ? added.const_data_ptr<T>() : nullptr;
    call.c = c.mutable_data_ptr<T>();
    call.ldc = c.stride(0);
    run<T, P, level>(call);
  });
  return c;
}

template <class T, class P, Isa isa>
void run(WeightGradient<T, P>& call) {
  const at::Tensor packed =
      at::empty({call.panels(), call.tokens_padded(), panel_width}, c10::CppTypeToScalarType<P>::value);
  call.packed_x = packed.mutable_data_ptr<P>();
  at::parallel_for(0, call.panels(), 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t panel = first; panel < last; ++panel) {
      weight_gradient_pack<isa>(call, panel);
    }
  });
  run_tasks(call.blocks(), [&] {
    const at::Tensor scratch = at::empty({call.scratch_words()}, at::kFloat);
    return [&call, scratch](std::int64_t block) {
      weight_gradient_block<isa>(call, block, scratch.template mutable_data_ptr<float>());
    };
  });
}

}  // namespace

bool covers_product(const at::Tensor& a, const at::Tensor& b, std::int64_t length) {
  constexpr std::int64_t fewest_rows = 32;
  const auto dtype = a.scalar_type();
  return a.is_cpu() && (dtype == at::kFloat || dtype == at::kBFloat16) && b.scalar_type() == dtype &&
         a.numel() >= fewest_rows * a.size(-1) && length > 0 && length % 2 == 0;
}

at::Tensor packed_linear(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                         Isa isa) {
  return product(x, weight, true, bias, isa);
}

at::Tensor packed_input_gradient(const at::Tensor& dy, const at::Tensor& weight, Isa isa) {
  return product(dy, weight, false, {}, isa);
}

void add_weight_gradient(const at::Tensor& main_grad, const at::Tensor& dy, const at::Tensor& x, Isa isa) {
  const at::Tensor left = readable_matrix(dy), right = readable_matrix(x);
  with_operand_types(dy.scalar_type(), isa, [&]<class T, class P, Isa level>() {
    WeightGradient<T, P> call{.tokens = dy.size(0), .out = dy.size(1), .in = x.size(1)};
    call.dy = left.const_data_ptr<T>();
    call.dy_stride = left.stride(0);
    call.x = right.const_data_ptr<T>();
    call.x_stride = right.stride(0);
    call.gradient = main_grad.mutable_data_ptr<float>();
    call.gradient_stride = main_grad.stride(0);
    run<T, P, level>(call);
  });
}

}  // namespace primus::kernels::cpu
