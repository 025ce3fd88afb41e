/* Runs a fuzz target over the files of a corpus folder: the corpus is a plain test in every build. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "fuzz.h"

static int replay(const char *path)
{
    FILE *stream = fopen(path, "rb");
    if (!stream) return 0;
    uint8_t *bytes = malloc(1 << 20);
    const size_t count = bytes ? fread(bytes, 1, 1 << 20, stream) : 0;
    uint8_t *exact = malloc(count ? count : 1); /* exact size, so that a sanitizer sees any over-read */
    if (exact && bytes) {
        memcpy(exact, bytes, count);
        LLVMFuzzerTestOneInput(exact, count);
    }
    free(exact);
    free(bytes);
    fclose(stream);
    return 1;
}

int main(int count, char **arguments)
{
    int files = 0;
    DIR *folder = count == 2 ? opendir(arguments[1]) : NULL;
    if (!folder) {
        fprintf(stderr, "usage: %s CORPUS-FOLDER\n", arguments[0]);
        return 2;
    }
    for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        char path[4096];
        if (entry->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", arguments[1], entry->d_name);
        files += replay(path);
    }
    closedir(folder);
    printf("%d corpus files replayed, %ld times one was accepted\n", files, fuzz_accepted);
    return files > 0 && fuzz_accepted > 0 ? 0 : 1;
}
