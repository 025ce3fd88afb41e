/* data/names/parts.c -- see parts.h. */
#include "data/names/parts.h"

#include <string.h>

/* In the order in which they are preferred. */
static const struct {
    const char *name;
    enum part_word word;
} words[] = {{"train", PART_TRAIN},      {"training", PART_TRAIN},        {"val", PART_VALIDATION},
             {"valid", PART_VALIDATION}, {"validation", PART_VALIDATION}, {"test", PART_TEST},
             {"testing", PART_TEST}};
enum { WORDS = sizeof words / sizeof *words };

static char small(char letter)
{
    return letter >= 'A' && letter <= 'Z' ? (char)(letter - 'A' + 'a') : letter;
}

static bool is_letter(char letter)
{
    return small(letter) >= 'a' && small(letter) <= 'z';
}

/* Whether `name` begins with the small letters of `word`, in any case. */
static bool begins_with(const char *name, size_t length, const char *word)
{
    size_t i = 0;
    while (i < length && word[i] != '\0' && small(name[i]) == word[i]) i++;
    return word[i] == '\0';
}

/* The place of a name in the list of words, or WORDS. */
static int place_of(const char *name, size_t length)
{
    const char first = length > 0 ? small(name[0]) : '\0';
    int i = first == 't' || first == 'v' ? 0 : WORDS; /* nearly every name is told by its first letter */
    while (i < WORDS && !(strlen(words[i].name) == length && begins_with(name, length, words[i].name))) i++;
    return i;
}

enum part_word part_word_of(const char *name, size_t length)
{
    const int place = place_of(name, length);
    return place < WORDS ? words[place].word : PART_NONE;
}

enum part_word part_word_of_file(const char *name)
{
    static const char *const heads[] = {"train", "val", "test"};
    static const enum part_word meant[] = {PART_TRAIN, PART_VALIDATION, PART_TEST};
    for (int i = 0; i < 3; i++)
        if (begins_with(name, strlen(name), heads[i])) return meant[i];
    while (*name != '\0') {
        size_t length = 0;
        while (is_letter(name[length])) length++;
        const enum part_word word = part_word_of(name, length);
        if (word) return word;
        name += length + (name[length] != '\0');
    }
    return PART_NONE;
}

struct part_folder *parts_add(struct parts *parts, const char *name, size_t length)
{
    for (int i = 0; i < parts->folders && length < PART_NAME_MAX; i++)
        if (memcmp(parts->folder[i].name, name, length) == 0 && parts->folder[i].name[length] == '\0')
            return &parts->folder[i];
    const enum part_word word = part_word_of(name, length);
    if (!word || parts->folders == PARTS_MAX) return NULL;
    struct part_folder *folder = &parts->folder[parts->folders++];
    *folder = (struct part_folder){.word = word};
    memcpy(folder->name, name, length);
    return folder;
}

/* Whether `a` is preferred to `b`, which mean the same. */
static bool goes_before(const struct part_folder *a, const struct part_folder *b)
{
    const int first = place_of(a->name, strlen(a->name)), second = place_of(b->name, strlen(b->name));
    return first != second ? first < second : strcmp(a->name, b->name) > 0; /* small letters come after capitals */
}

static int best(const struct parts *parts, enum part_word word)
{
    int found = -1;
    for (int i = 0; i < parts->folders; i++)
        if (parts->folder[i].word == word && (found < 0 || goes_before(&parts->folder[i], &parts->folder[found])))
            found = i;
    return found;
}

/* How sure it is that the images of a folder have labels. */
static int labels_of(const struct parts *parts, int folder)
{
    return parts->folder[folder].labelled ? 2 : parts->folder[folder].nested;
}

void parts_decide(struct parts *parts)
{
    const int validation = best(parts, PART_VALIDATION);
    parts->train = best(parts, PART_TRAIN);
    parts->test = best(parts, PART_TEST);
    if (parts->test < 0 || (validation >= 0 && labels_of(parts, validation) > labels_of(parts, parts->test)))
        parts->test = validation;
    if (parts->train < 0) parts->test = -1;
    if (parts->train < 0 || parts->test >= 0 || !parts->others) return;
    if (!parts->folder[parts->train].nested || parts->others_nested) parts->train = -1;
}

int parts_refuse(const struct parts *parts, const char *path, struct error *error)
{
    return error_set(error, SIMCLR_DATA,
                     "%s: has a folder `%s`, but neither `test` nor `val` beside it: add one, or give --test-data",
                     path, parts->folder[parts->train].name);
}
