#include <ATen/Functions.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "checkpoint/layout.h"
#include "checkpoint/reader.h"
#include "checkpoint/writer.h"
#include "core/error.h"
#include "core/file.h"
#include "tests/checkpoint/small_model.h"
#include "tests/temporary_directory.h"

namespace primus::checkpoint {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using parallel::TensorPiece;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::TemporaryDirectory;
using ::testing::ThrowsMessage;

at::Tensor numbers(at::IntArrayRef shape, at::ScalarType dtype = at::kFloat) {
  return at::arange(c10::multiply_integers(shape)).view(shape).to(dtype);
}

void expect_loads(const fs::path& directory, double fill) {
  auto pieces = small_model(-1);
  Checkpoint(directory).load(pieces);
  for (const TensorPiece& piece : pieces)
    EXPECT_TRUE(at::equal(piece.data, at::full_like(piece.data, fill))) << piece.name;
}

void flip_byte(const fs::path& path, std::uint64_t position) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(static_cast<std::streamoff>(position));
  const int byte = file.get();
  file.seekp(static_cast<std::streamoff>(position));
  file.put(static_cast<char>(byte ^ 1));
}

TEST(Checkpoint, SavesAndLoadsTheSameBits) {
  const TemporaryDirectory folder;
  const fs::path directory = iteration_directory(folder.path(), 100);
  save(directory, small_model(1.5), {{"iteration", 100}});
  EXPECT_EQ(directory, folder / "iter_0000100");
  EXPECT_EQ(read_file(tracker_file(folder.path())), "100");
  const Checkpoint checkpoint(find_checkpoint(folder.path())->path);
  EXPECT_EQ(checkpoint.common()["iteration"], 100);
  EXPECT_TRUE(checkpoint.contains("norm"));
  EXPECT_TRUE(at::equal(checkpoint.tensor("embedding"), at::full({4, 3}, 1.5, at::kBFloat16)));
  checkpoint.verify();
  expect_loads(directory, 1.5);
  std::vector<std::string> files;
  for (const auto& entry : fs::directory_iterator(directory)) files.push_back(entry.path().filename());
  EXPECT_THAT(files, ::testing::UnorderedElementsAre("common.json", "index.json", "shard_00000.safetensors"));
}

TEST(Checkpoint, AShardOfAWholeModelIsAPlainSafetensorsFile) {
  const TemporaryDirectory folder;
  save(folder / "iter_0000001", small_model(), json::object());
  const SafetensorsFile file(shard_file(folder / "iter_0000001", 0));
  EXPECT_NE(file.find("embedding"), nullptr);
}

TEST(Checkpoint, ConvertsTheDtypeWhereItDiffers) {
  const TemporaryDirectory folder;
  save(folder / "iter_0000001", {whole("w", numbers({5}))}, json::object());
  const at::Tensor loaded = at::zeros({5}, at::kBFloat16);
  Checkpoint(folder / "iter_0000001").load({whole("w", loaded)});
  EXPECT_TRUE(at::equal(loaded, numbers({5}, at::kBFloat16)));
}

/// A weight with its main weight, as two pieces that share memory.
struct SplitWeight {
  at::Tensor weight;
  at::Tensor remainder;
  TensorPiece piece() const { return whole("w", weight); }
  TensorPiece main_piece() const {
    TensorPiece piece = whole("optimizer.state.fp32_param.w", weight);
    piece.remainder = remainder;
    return piece;
  }
};

SplitWeight split_weight(at::IntArrayRef shape) {
  return {at::full(shape, -1, at::kBFloat16), at::full(shape, -1, at::kShort)};
}

TEST(Checkpoint, MainWeightsThatAreKeptSplitAreSavedAndLoadedAsFp32) {
  const TemporaryDirectory folder;
  const at::Tensor main = at::sin(at::arange(1000.0)).to(at::kFloat).view({8, 125});
  const SplitWeight saved = split_weight({8, 125}), loaded = split_weight({8, 125});
  saved.main_piece().assign(main);
  save(folder / "iter_0000001", {saved.piece(), saved.main_piece()}, json::object());
  const Checkpoint checkpoint(folder / "iter_0000001");
  EXPECT_TRUE(at::equal(checkpoint.tensor("optimizer.state.fp32_param.w"), saved.main_piece().values()));
  EXPECT_TRUE(at::equal(checkpoint.tensor("w"), main.to(at::kBFloat16)));
  checkpoint.load({loaded.piece(), loaded.main_piece()});
  EXPECT_TRUE(at::equal(loaded.weight, saved.weight));
  EXPECT_TRUE(at::equal(loaded.remainder, saved.remainder));
  // A program that keeps them whole, as this one did, writes and reads the same tensors.
  const at::Tensor whole_main = at::zeros({8, 125});
  checkpoint.load({whole("optimizer.state.fp32_param.w", whole_main)});
  save(folder / "iter_0000002", {saved.piece(), whole("optimizer.state.fp32_param.w", whole_main)},
       json::object());
  EXPECT_EQ(read_file(shard_file(folder / "iter_0000001", 0)),
            read_file(shard_file(folder / "iter_0000002", 0)));
}

TEST(Checkpoint, TheMainWeightDecidesOverAWeightThatIsNotItsRounding) {
  const TemporaryDirectory folder;
  const at::Tensor main = at::full({5}, 1.001);
  save(folder / "iter_0000001",
       {whole("w", at::full({5}, 1.0078125, at::kBFloat16)), whole("optimizer.state.fp32_param.w", main)},
       json::object());
  for (const bool main_first : {false, true}) {
    const SplitWeight loaded = split_weight({5});
    std::vector pieces = {loaded.piece(), loaded.main_piece()};
    if (main_first) std::swap(pieces[0], pieces[1]);
    Checkpoint(folder / "iter_0000001").load(pieces);
    EXPECT_TRUE(at::equal(loaded.weight, main.to(at::kBFloat16)));
    EXPECT_TRUE(at::equal(loaded.main_piece().values(), main));
  }
}

/// How one rank of a layout holds a parameter: a shard of a dimension, of which, optionally, a flat range.
struct Layout {
  int size;
  int dim;
  int blocks;
  int ranges;
};

/// The pieces of all ranks, with memory of their own that is filled from `global` when it is given.
std::vector<std::vector<TensorPiece>> cut(const at::Tensor& global, const Layout& layout, bool fill) {
  std::vector<std::vector<TensorPiece>> ranks;
  for (int rank = 0; rank < layout.size; ++rank) {
    parallel::ParameterSpec spec{.name = "w", .global_shape = global.sizes().vec()};
    spec.shards = {{.dim = layout.dim, .rank = rank, .size = layout.size, .blocks = layout.blocks}};
    const parallel::Parameter parameter(spec, at::kFloat, at::kCPU);
    const at::Tensor local = at::full(parameter.local_shape(), -1.0);
    if (fill) {
      for (const parallel::ShardPiece& piece : parameter.pieces()) {
        at::Tensor to = local, from = global;
        for (std::size_t d = 0; d < piece.extent.size(); ++d) {
          to = to.narrow(static_cast<std::int64_t>(d), piece.local_offset[d], piece.extent[d]);
          from = from.narrow(static_cast<std::int64_t>(d), piece.global_offset[d], piece.extent[d]);
        }
        to.copy_(from);
      }
    }
    const std::int64_t count = local.numel();
    for (int range = 0; range < layout.ranges; ++range) {
      const std::int64_t begin = count * range / layout.ranges, end = count * (range + 1) / layout.ranges;
      ranks.push_back(layout.ranges == 1
                          ? parallel::tensor_pieces(parameter, "w", local, false)
                          : parallel::tensor_pieces_of_range(parameter, "w", begin,
                                                             local.view({-1}).slice(0, begin, end), false));
    }
  }
  return ranks;
}

void save_all(const fs::path& directory, const std::vector<std::vector<TensorPiece>>& ranks) {
  // One after the other, in the order of save's barriers: rank 0 goes last and finds the others' parts.
  const int world_size = static_cast<int>(ranks.size());
  save(directory, ranks[0], json::object(),
       {.rank = 0, .world_size = world_size, .barrier = [&, calls = 0]() mutable {
          if (++calls != 1) return;
          for (int rank = 1; rank < world_size; ++rank)
            save(directory, ranks[rank], json::object(), {.rank = rank, .world_size = world_size});
        }});
}

TEST(Checkpoint, EveryLayoutLoadsEveryOther) {
  const std::vector<Layout> layouts = {{1, 0, 1, 1}, {2, 0, 1, 1}, {4, 0, 1, 1}, {2, 1, 1, 1},
                                       {3, 1, 1, 1}, {2, 0, 2, 1}, {2, 1, 2, 1}, {1, 0, 1, 3},
                                       {2, 0, 1, 5}, {2, 0, 2, 3}, {2, 1, 1, 3}};
  const at::Tensor global = numbers({8, 12, 5});
  for (const Layout& saved : layouts) {
    const TemporaryDirectory folder;
    save_all(folder / "iter_0000001", cut(global, saved, true));
    const Checkpoint checkpoint(folder / "iter_0000001");
    checkpoint.verify();
    EXPECT_TRUE(at::equal(checkpoint.tensor("w"), global));
    for (const Layout& loaded : layouts) {
      const auto wanted = cut(global, loaded, false), expected = cut(global, loaded, true);
      for (std::size_t rank = 0; rank < wanted.size(); ++rank) {
        checkpoint.load(wanted[rank]);
        for (std::size_t i = 0; i < wanted[rank].size(); ++i)
          EXPECT_TRUE(at::equal(wanted[rank][i].data, expected[rank][i].data))
              << saved.size << saved.dim << saved.blocks << saved.ranges << " to " << loaded.size
              << loaded.dim << loaded.blocks << loaded.ranges;
      }
    }
  }
}

/// The pieces that `ranks` tensor-parallel ranks hold of a vocabulary of 10 rows, padded to `padded`; each
/// rank's elements as they are, and, for the optimizer's state, in three flat ranges.
std::vector<std::vector<TensorPiece>> cut_vocabulary(std::int64_t padded, int ranks, double fill) {
  std::vector<std::vector<TensorPiece>> result;
  for (int rank = 0; rank < ranks; ++rank) {
    parallel::ParameterSpec spec{.name = "w", .global_shape = {padded, 3}, .unpadded_rows = 10};
    spec.shards = {{.rank = rank, .size = ranks}};
    const parallel::Parameter parameter(spec, at::kFloat, at::kCPU);
    const at::Tensor rows = at::arange(padded * 3, at::kFloat).view({padded, 3}).chunk(ranks)[rank];
    const auto local = [&] { return fill < 0 ? rows.clone() : at::full(rows.sizes(), fill); };
    auto pieces = parallel::tensor_pieces(parameter, "w", local(), false);
    const at::Tensor flat = local().view({-1});
    for (int range = 0; range < 3; ++range) {
      const std::int64_t begin = flat.numel() * range / 3, end = flat.numel() * (range + 1) / 3;
      for (auto& piece :
           parallel::tensor_pieces_of_range(parameter, "state.w", begin, flat.slice(0, begin, end), false))
        pieces.push_back(std::move(piece));
    }
    result.push_back(std::move(pieces));
  }
  return result;
}

TEST(Checkpoint, AVocabularyThatIsPaddedOtherwiseIsCutOrFilledUpWithZeros) {
  const std::vector<std::pair<std::int64_t, int>> layouts = {{10, 1}, {12, 2}, {12, 4}, {18, 3}, {10, 2}};
  for (const auto& [saved, saving_ranks] : layouts) {
    const TemporaryDirectory folder;
    save_all(folder / "iter_0000001", cut_vocabulary(saved, saving_ranks, -1));
    const Checkpoint checkpoint(folder / "iter_0000001");
    for (const auto& [wanted, ranks] : layouts) {
      at::Tensor expected = at::zeros({wanted, 3});
      const std::int64_t common = std::min(saved, wanted);
      expected.narrow(0, 0, common).copy_(at::arange(common * 3, at::kFloat).view({common, 3}));
      for (int rank = 0; rank < ranks; ++rank) {
        const auto pieces = cut_vocabulary(wanted, ranks, 7)[rank];
        checkpoint.load(pieces);
        const at::Tensor rows = expected.chunk(ranks)[rank];
        EXPECT_TRUE(at::equal(pieces[0].data, rows))
            << saved << " to " << wanted << " rows on " << ranks << " ranks";
        for (std::size_t i = 1; i < pieces.size(); ++i)
          EXPECT_TRUE(at::equal(pieces[i].data,
                                rows.reshape({-1}).slice(0, pieces[i].flat_begin, pieces[i].flat_end)));
      }
    }
  }
}

TEST(Checkpoint, AVocabularyWithFewerRowsThanTheModelsIsAnotherModel) {
  const TemporaryDirectory folder;
  save(folder / "iter_0000001", {whole("w", numbers({9, 3})), whole("state.w", numbers({9, 3}))},
       json::object());
  EXPECT_THAT([&] { Checkpoint(folder / "iter_0000001").load(cut_vocabulary(12, 1, 0)[0]); },
              ThrowsMessage<UserError>(HasSubstr("w is [9, 3] in the checkpoint, [12, 3] in this run")));
}

TEST(Checkpoint, MainWeightsOfPaddingAreZeroToo) {
  const TemporaryDirectory folder;
  const at::Tensor main = at::full({4, 2}, 1.001);
  save(folder / "iter_0000001",
       {whole("w", main.to(at::kBFloat16)), whole("optimizer.state.fp32_param.w", main)}, json::object());
  const SplitWeight loaded = split_weight({6, 2});
  std::vector pieces = {loaded.piece(), loaded.main_piece()};
  for (TensorPiece& piece : pieces) piece.unpadded_rows = 3;
  Checkpoint(folder / "iter_0000001").load(pieces);
  EXPECT_TRUE(at::equal(loaded.main_piece().values(), at::cat({main, at::zeros({2, 2})})));
  EXPECT_TRUE(at::equal(loaded.weight, loaded.main_piece().values().to(at::kBFloat16)));
}

TEST(Checkpoint, ReplicasAreNotSaved) {
  const TemporaryDirectory folder;
  auto pieces = small_model();
  pieces[1].replica = true;
  save(folder / "iter_0000001", pieces, json::object());
  EXPECT_FALSE(Checkpoint(folder / "iter_0000001").contains("norm"));
}

TEST(Checkpoint, ADamagedByteIsFoundAndItsFileAndTensorAreNamed) {
  const TemporaryDirectory folder;
  const fs::path directory = folder / "iter_0000001";
  save(directory, small_model(), json::object());
  const fs::path shard = shard_file(directory, 0);
  const TensorInfo info = *SafetensorsFile(shard).find("embedding");
  flip_byte(shard, info.offset + info.byte_size() - 1);
  const auto message = AllOf(HasSubstr(shard.string()), HasSubstr("tensor embedding"));
  EXPECT_THAT([&] { Checkpoint(directory).load(small_model()); }, ThrowsMessage<UserError>(message));
  EXPECT_THAT([&] { Checkpoint(directory).verify(); }, ThrowsMessage<UserError>(message));
}

TEST(Checkpoint, DamageReadByAnotherLayoutIsFoundInThePartThatIsRead) {
  const TemporaryDirectory folder;
  const fs::path directory = folder / "iter_0000001";
  const at::Tensor global = at::zeros({3, static_cast<std::int64_t>(checksum_block / sizeof(float))});
  save(directory, {whole("w", global)}, json::object());
  ASSERT_EQ(Checkpoint(directory).index().tensors.at("w").pieces[0].checksums.size(), 3);
  const fs::path shard = shard_file(directory, 0);
  flip_byte(shard, SafetensorsFile(shard).find("w")->offset + 2 * checksum_block + 5);
  const auto row = [&](std::int64_t i) {
    TensorPiece piece = whole("w", at::zeros({1, global.size(1)}));
    piece.global_shape = global.sizes().vec();
    piece.offset = {i, 0};
    return std::vector{piece};
  };
  EXPECT_NO_THROW(Checkpoint(directory).load(row(0)));
  EXPECT_NO_THROW(Checkpoint(directory).load(row(1)));
  EXPECT_THROW(Checkpoint(directory).load(row(2)), UserError);
}

TEST(Checkpoint, MissingOrCutFilesAreNamed) {
  const TemporaryDirectory folder;
  const auto refuses = [&](const std::string& reason, const auto& damage) {
    const fs::path directory = iteration_directory(folder.path(), 1);
    save(directory, small_model(), {{"iteration", 1}});
    damage(directory);
    EXPECT_THAT([&] { Checkpoint{directory}; }, ThrowsMessage<UserError>(HasSubstr(reason)));
  };
  refuses("shard_00000.safetensors: missing shard", [](const fs::path& d) { fs::remove(shard_file(d, 0)); });
  refuses("shard_00000.safetensors: damaged: it has 20 bytes",
          [](const fs::path& d) { fs::resize_file(shard_file(d, 0), 20); });
  refuses("index.json: damaged", [](const fs::path& d) { fs::resize_file(d / index_file, 30); });
  refuses("has format 99, and this program reads formats up to 2: use a newer version",
          [](const fs::path& d) {
            std::ofstream(d / index_file) << R"({"format":"primus-checkpoint","version":99})";
          });
  for (const char* version : {"0", "-1", "\"2\"", "null"}) {
    refuses("index.json", [&](const fs::path& d) {
      std::ofstream(d / index_file) << R"({"format":"primus-checkpoint","version":)" << version << "}";
    });
  }
  refuses("index.json: damaged", [](const fs::path& d) {
    std::ofstream(d / index_file) << R"({"format":"primus-checkpoint","version":1,"shards":[{}]})";
  });
  for (const char* shard : {"1e300", "0.5", "4294967296"}) {
    refuses("index.json: damaged: a number must be a whole number",
            [&](const fs::path& d) {
              std::ofstream(d / index_file)
                  << R"({"format":"primus-checkpoint","version":1,"shards":[{"bytes":1,"shard":)" << shard
                  << "}]}";
            });
  }
  refuses("common.json:2: this JSON ends before it is complete",
          [](const fs::path& d) { fs::resize_file(d / common_file, 3); });
  refuses("not a checkpoint", [](const fs::path& d) { fs::remove(d / index_file); });
}

TEST(Checkpoint, AnIndexThatDoesNotCoverATensorIsDamaged) {
  const TemporaryDirectory folder;
  const fs::path directory = folder / "iter_0000001";
  save(directory, small_model(), json::object());
  json index = json::parse(read_file(directory / index_file));
  index["tensors"]["embedding"]["pieces"].clear();
  std::ofstream(directory / index_file) << index.dump();
  EXPECT_THAT(
      [&] { Checkpoint(directory).load(small_model()); },
      ThrowsMessage<UserError>(HasSubstr("12 of 12 elements of tensor embedding are in none of its shards")));
}

TEST(Checkpoint, AnotherModelIsRefusedBeforeAnythingIsWritten) {
  const TemporaryDirectory folder;
  const fs::path directory = folder / "iter_0000001";
  save(directory, small_model(), json::object());
  const Checkpoint checkpoint(directory);
  auto wider = small_model(-1);
  wider[0] = whole("embedding", at::full({4, 6}, -1.0, at::kBFloat16));
  wider.push_back(whole("extra", at::zeros({1})));
  EXPECT_THAT(
      [&] { checkpoint.load(wider); },
      ThrowsMessage<UserError>(AllOf(HasSubstr("another model"),
                                     HasSubstr("embedding is [4, 3] in the checkpoint, [4, 6] in this run"),
                                     HasSubstr("extra is not in it"))));
  EXPECT_TRUE(at::equal(wider[1].data, at::full({3}, -1.0)));
}

TEST(Checkpoint, AFullDiskLeavesTheLastCheckpointAndNoTemporary) {
  const TemporaryDirectory folder;
  save(iteration_directory(folder.path(), 1), small_model(1), json::object());
  ::signal(SIGXFSZ, SIG_IGN);
  struct rlimit limit{};
  ::getrlimit(RLIMIT_FSIZE, &limit);
  struct rlimit small = limit;
  small.rlim_cur = 100;
  ::setrlimit(RLIMIT_FSIZE, &small);
  // Not the user's fault: a run that fails like this may be started again.
  try {
    save(iteration_directory(folder.path(), 2), small_model(2), json::object());
    ADD_FAILURE() << "the disk is full";
  } catch (const UserError& error) {
    ADD_FAILURE() << error.what();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("could not be saved"), HasSubstr("File too large")));
  }
  ::setrlimit(RLIMIT_FSIZE, &limit);
  EXPECT_FALSE(fs::exists(temporary_directory(iteration_directory(folder.path(), 2))));
  expect_loads(find_checkpoint(folder.path())->path, 1);
}

/// Saves iteration 2 in a child process that is killed at its `kill_at`-th barrier.
void save_and_die(const fs::path& folder, int kill_at) {
  const pid_t child = ::fork();
  if (child == 0) {
    save(iteration_directory(folder, 2), small_model(2), json::object(),
         {.barrier = [kill_at, calls = 0]() mutable {
           if (++calls == kill_at) ::raise(SIGKILL);
         }});
    ::_exit(1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status));
}

TEST(Checkpoint, AKilledSaveLeavesTheLastCheckpointAndIsCleanedUpByTheNext) {
  for (const int kill_at : {1, 2}) {
    const TemporaryDirectory folder;
    save(iteration_directory(folder.path(), 1), small_model(1), json::object());
    save_and_die(folder.path(), kill_at);
    const fs::path temporary = temporary_directory(iteration_directory(folder.path(), 2));
    EXPECT_TRUE(fs::exists(temporary));
    EXPECT_EQ(list_checkpoints(folder.path()).size(), 1);
    expect_loads(find_checkpoint(folder.path())->path, 1);
    save(iteration_directory(folder.path(), 3), small_model(3), json::object());
    EXPECT_FALSE(fs::exists(temporary));
    expect_loads(find_checkpoint(folder.path())->path, 3);
  }
}

/// A barrier that fails at its `fail_at`-th call, as when another rank has died.
std::function<void()> barrier_that_fails(int fail_at) {
  return [fail_at, calls = 0]() mutable {
    if (++calls == fail_at) throw std::runtime_error("a rank has died");
  };
}

TEST(Checkpoint, OnlyRankZeroRemovesWhatItAloneMayBePublishing) {
  for (const int rank : {0, 1}) {
    for (const int fail_at : {2, 3}) {
      const TemporaryDirectory folder;
      const fs::path directory = iteration_directory(folder.path(), 2);
      const fs::path temporary = temporary_directory(directory);
      fs::create_directories(temporary);
      EXPECT_THROW(save(directory, small_model(2), json::object(),
                        {.rank = rank, .world_size = rank + 1, .barrier = barrier_that_fails(fail_at)}),
                   std::runtime_error);
      EXPECT_EQ(fs::exists(temporary / "index_00001.json"), rank == 1);
      EXPECT_EQ(fs::exists(temporary), rank == 1);
      if (rank == 0 && fail_at == 3) expect_loads(find_checkpoint(folder.path())->path, 2);
    }
  }
}

TEST(Checkpoint, SavingAnIterationAgainReplacesIt) {
  const TemporaryDirectory folder;
  for (const double fill : {1.0, 2.0})
    save(iteration_directory(folder.path(), 5), small_model(fill), {{"a", 1}});
  expect_loads(find_checkpoint(folder.path())->path, 2);
  EXPECT_FALSE(fs::exists(temporary_directory(iteration_directory(folder.path(), 5))));
}

}  // namespace
}  // namespace primus::checkpoint
