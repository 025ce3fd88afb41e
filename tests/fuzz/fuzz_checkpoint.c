/* Any text as the header of a checkpoint, before tensors of zeros and with the right checksum: refused with a sentence,
 * or a model can be made of it. The weights themselves are left out of the corpus: no byte of them steers the reader.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "checkpoint/checkpoint.h"
#include "repair.h"

long fuzz_accepted;

enum { MOST_DATA = 4 << 20 };

/* The tensor bytes that the header promises: the last number before a closing bracket is where its last tensor ends. */
static size_t promised(const uint8_t *header, size_t count)
{
    size_t end = count, value = 0;
    while (end > 0 && header[end - 1] != ']') end--;
    if (end == 0) return 0;
    size_t first = --end;
    while (first > 0 && header[first - 1] >= '0' && header[first - 1] <= '9' && end - first < 9) first--;
    for (; first < end; first++) value = 10 * value + (size_t)(header[first] - '0');
    return value < MOST_DATA ? value : MOST_DATA;
}

static void read_checkpoint(const char *path)
{
    struct checkpoint *checkpoint = NULL;
    struct error error = {0};
    const int status = checkpoint_open(&checkpoint, path, &error);
    if (status != SIMCLR_OK) {
        FUZZ_CHECK(checkpoint == NULL && status < 0 && error.text[0] != '\0');
        return;
    }
    struct model *model = NULL;
    fuzz_accepted++;
    FUZZ_CHECK(checkpoint_state(checkpoint)->step >= 0 && checkpoint_state(checkpoint)->epoch >= 0);
    FUZZ_CHECK(model_create(&model, checkpoint_model_config(checkpoint), NULL, 1, &error) == SIMCLR_OK);
    FUZZ_CHECK(checkpoint_restore(checkpoint, model, NULL, false, &error) == SIMCLR_OK);
    FUZZ_CHECK(checkpoint_restore(checkpoint, model, NULL, true, &error) == SIMCLR_OK);
    model_destroy(&model);
    checkpoint_close(&checkpoint);
}

int LLVMFuzzerTestOneInput(const uint8_t *header, size_t count)
{
    char digits[9], path[40];
    const size_t bytes = 8 + count + promised(header, count);
    uint8_t *file = calloc(bytes, 1);
    FUZZ_CHECK(file != NULL);
    for (int i = 0; i < 8; i++) file[i] = (uint8_t)((uint64_t)count >> 8 * i);
    if (count) memcpy(file + 8, header, count);
    repair_checksum(file, bytes, digits);
    const int descriptor = memfd_create("checkpoint", MFD_CLOEXEC);
    FUZZ_CHECK(descriptor >= 0 && write(descriptor, file, bytes) == (ssize_t)bytes);
    snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
    read_checkpoint(path);
    close(descriptor);
    free(file);
    return 0;
}
