#include <cstdint>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <vector>

#include "core/error.h"
#include "data/indexed_dataset.h"
#include "fuzz/input_files.h"
#include "fuzz/targets.h"

namespace primus::fuzz {

/// Two bytes with the size of the .bin file, which holds zeros, then the .idx file.
void read_indexed_dataset(std::string_view bytes) {
  std::uint16_t size = 0;
  if (bytes.size() < sizeof size) return;
  std::memcpy(&size, bytes.data(), sizeof size);
  const InputFiles files("d.idx", bytes.substr(sizeof size));
  std::ofstream(files / "d.bin").close();
  std::filesystem::resize_file(files / "d.bin", size);

  const data::IndexedDataset dataset((files / "d").string());
  std::int64_t tokens = 0, sequences = 0;
  for (std::int64_t i = 0; i < dataset.sequence_count(); ++i) {
    std::vector<std::int64_t> sequence(static_cast<std::size_t>(dataset.length(i)));
    dataset.read(i, 0, sequence);
    tokens += dataset.length(i);
  }
  const auto& boundaries = dataset.document_boundaries();
  for (std::int64_t d = 0; d < dataset.document_count(); ++d) sequences += boundaries[d + 1] - boundaries[d];
  if (tokens != dataset.token_count() || sequences != dataset.sequence_count())
    throw std::logic_error("an index that contradicts itself was accepted");
}

}  // namespace primus::fuzz
