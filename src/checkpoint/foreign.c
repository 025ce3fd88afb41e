/* checkpoint/foreign.c -- see foreign.h. Told by the bytes, never by the name. */
#include "checkpoint/foreign.h"

#include <stdbool.h>
#include <string.h>

/* Where the words of a zip's first members, or of a page, are looked for. */
enum { LOOKED_AT = 4096 };

#define IN_PYTHON                                                                                                      \
    "only Python can read it. Convert it there, once: import torch, safetensors.torch; w = torch.load('IN', "          \
    "map_location='cpu'); w = w.get('state_dict', w); safetensors.torch.save_file({k: v.contiguous() for k, v in "     \
    "w.items()}, 'OUT.safetensors')"

static bool contains(const uint8_t *bytes, size_t count, const char *word)
{
    return memmem(bytes, count < LOOKED_AT ? count : LOOKED_AT, word, strlen(word)) != NULL;
}

static bool begins(const uint8_t *bytes, size_t count, const char *magic, size_t length)
{
    return count >= length && memcmp(bytes, magic, length) == 0;
}

/* A pickle of protocol 2 to 5, as torch.save wrote them before it wrote zips. */
static bool is_pickle(const uint8_t *bytes, size_t count)
{
    return count > 2 && bytes[0] == 0x80 && bytes[1] >= 2 && bytes[1] <= 5;
}

const char *foreign_format(const uint8_t *bytes, size_t count)
{
    static const struct {
        const char *magic;
        size_t length;
        const char *what;
    } known[] = {
        {"\x89HDF\r\n\x1a\n", 8, "is an HDF5 file (Keras, h5py): write its arrays as safetensors in Python"},
        {"\x93NUMPY", 6, "is a NumPy array: write the weights as safetensors in Python"},
        {"GGUF", 4, "is a GGUF file, which holds no ResNet"},
        {"version https://git-lfs", 23,
         "is a Git LFS pointer, not the file itself: fetch the file with git lfs pull, or download it again"},
        {"\x1f\x8b", 2, "is packed with gzip: unpack it with gunzip"},
        {"\x28\xb5\x2f\xfd", 4, "is packed with zstd: unpack it with unzstd"},
        {"<!DOCTYPE", 9, "is a web page, not a file of weights: download it again"},
        {"<html", 5, "is a web page, not a file of weights: download it again"},
        {"\x89PNG", 4, "is a picture: give a run folder, a checkpoint or an exported encoder"},
        {"\xff\xd8\xff", 3, "is a picture: give a run folder, a checkpoint or an exported encoder"},
    };
    if (begins(bytes, count, "PK\x03\x04", 4))
        return contains(bytes, count, "data.pkl")
                   ? "is a PyTorch file (.pth, .pt, .ckpt; a pickle in a zip): " IN_PYTHON
               : contains(bytes, count, ".npy")
                   ? "is a NumPy archive (.npz): write the weights as safetensors in Python"
                   : "is a zip archive: unpack it first";
    if (is_pickle(bytes, count)) return "is a pickle, as old PyTorch files (.pth, .pt, .ckpt) are: " IN_PYTHON;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (begins(bytes, count, known[i].magic, known[i].length)) return known[i].what;
    return NULL;
}
