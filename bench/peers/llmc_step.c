// Full training step of llm.c's GPT-2 (fp32, OpenMP), in the protocol of `primus-cli benchmark step --blocks`.
// llmc_step.py compiles this together with a checkout of llm.c.
#define TESTING  // leaves out its main
#include "train_gpt2.c"

#include <sys/resource.h>

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + 1e-9 * time.tv_nsec;
}

static double peak_mb(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss * 1024e-6;
}

static void build(GPT2* model, GPT2Config config) {
  memset(model, 0, sizeof *model);
  model->config = config;
  fill_in_parameter_sizes(model->param_sizes, config);
  for (size_t i = 0; i < NUM_PARAMETER_TENSORS; ++i) model->num_parameters += model->param_sizes[i];
  model->params_memory = malloc_and_point_parameters(&model->params, model->param_sizes);
  for (size_t i = 0; i < model->num_parameters; ++i) {
    model->params_memory[i] = 0.04f * ((float)rand() / (float)RAND_MAX - 0.5f);
  }
}

// It has no clipping of its own.
static void clip(GPT2* model, float limit) {
  double sum = 0;
#pragma omp parallel for simd reduction(+ : sum)
  for (size_t i = 0; i < model->num_parameters; ++i) {
    sum += model->grads_memory[i] * model->grads_memory[i];
  }
  const float scale = limit / (float)(sqrt(sum) + 1e-6);
  if (scale >= 1) return;
#pragma omp parallel for simd
  for (size_t i = 0; i < model->num_parameters; ++i) model->grads_memory[i] *= scale;
}

static double timed_step(GPT2* model, int* tokens, int batch, int seq, int iteration) {
  const double start = now();
  gpt2_forward(model, tokens, tokens + 1, batch, seq);
  gpt2_zero_grad(model);
  gpt2_backward(model);
  clip(model, 1.0f);
  gpt2_update(model, 1e-4f, 0.9f, 0.999f, 1e-8f, 0.1f, iteration);
  return now() - start;
}

int main(int argc, char** argv) {
  if (argc != 7) return 2;  // batch, sequence length, layers, heads, hidden size, vocabulary
  const int batch = atoi(argv[1]), seq = atoi(argv[2]), vocabulary = atoi(argv[6]);
  // Its own functions print; stdout is for the protocol.
  FILE* answers = fdopen(dup(STDOUT_FILENO), "w");
  dup2(STDERR_FILENO, STDOUT_FILENO);
  GPT2 model;
  build(&model, (GPT2Config){.max_seq_len = seq, .vocab_size = vocabulary, .padded_vocab_size = vocabulary,
                             .num_layers = atoi(argv[3]), .num_heads = atoi(argv[4]), .channels = atoi(argv[5])});
  int* tokens = mallocCheck((batch * seq + 1) * sizeof(int));
  for (int i = 0; i <= batch * seq; ++i) tokens[i] = rand() % vocabulary;
  int iteration = 1;
  fprintf(answers, "{\"first_step_s\": %f}\n", timed_step(&model, tokens, batch, seq, iteration));
  fflush(answers);
  for (int count; scanf("%d", &count) == 1;) {
    fprintf(answers, "{\"seconds\": [");
    for (int i = 0; i < count; ++i) {
      fprintf(answers, "%s%f", i ? ", " : "", timed_step(&model, tokens, batch, seq, ++iteration));
    }
    fprintf(answers, "], \"peak_mb\": %f}\n", peak_mb());
    fflush(answers);
  }
  gpt2_free(&model);
  return 0;
}
