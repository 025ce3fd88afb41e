/* data/names/passed.c -- see passed.h. */
#include "data/names/passed.h"

#include <inttypes.h>
#include <string.h>

#include "data/names/endings.h"

/* How each reason is said: `one` of them, or `many`; its name in JSON; whether pictures are lost by it. */
static const struct {
    const char *key, *one, *many;
    bool matters;
} reasons[PASSED_REASONS] = {
    [PASSED_OTHER] = {"other_files", "file that is no picture", "files that are no pictures", false},
    [PASSED_FORMAT] = {"unread_format", "picture of a format that is not read", "pictures of formats that are not read",
                       true},
    [PASSED_HIDDEN] = {"hidden", "hidden file or folder", "hidden files or folders", false},
    [PASSED_OUTSIDE] = {"outside_parts", "file beside the parts", "files beside the parts", false},
    [PASSED_LABEL] = {"unused_labels", "label file that is not used", "label files that are not used", true},
    [PASSED_BAD_LABEL] = {"bad_labels", "label file that cannot be read, whose image has no label",
                          "label files that cannot be read, whose images have no label", true},
    [PASSED_MEMBER] = {"member_links", "member that is only a link to another", "members that are only links to others",
                       true},
    [PASSED_SPECIAL] = {"special_files", "device or pipe", "devices or pipes", false},
    [PASSED_LOOP] = {"folder_loops", "link to a folder that is taken already",
                     "links to folders that are taken already", false},
    [PASSED_LINK] = {"folder_links", "link to a folder beyond the first 1024", "links to folders beyond the first 1024",
                     true},
    [PASSED_DEEP] = {"deep_folders", "folder that lies too deep", "folders that lie too deep", true},
    [PASSED_UNREADABLE] = {"unreadable_folders", "folder that may not be listed", "folders that may not be listed",
                           true},
    [PASSED_RUN] = {"run_folders", "folder of a run of this program", "folders of runs of this program", true},
    [PASSED_SHEET] = {"sheets", "sheet that this program drew", "sheets that this program drew", true},
};

static void keep_example(char example[PASSED_EXAMPLE], const char *name)
{
    if (example[0] != '\0') return;
    const size_t length = strlen(name);
    if (length < PASSED_EXAMPLE) {
        memcpy(example, name, length + 1);
    } else { /* the last part of a long name is the telling one */
        memcpy(example, "...", 3);
        memcpy(example + 3, name + length - (PASSED_EXAMPLE - 4), PASSED_EXAMPLE - 3);
    }
}

void passed_add_many(struct passed *passed, enum passed_reason reason, int64_t count, const char *name)
{
    if (count <= 0) return;
    passed->count[reason] += count;
    keep_example(passed->example[reason], name);
}

void passed_add(struct passed *passed, enum passed_reason reason, const char *name)
{
    passed_add_many(passed, reason, 1, name);
}

static void add_ending(struct passed *passed, const char *text, int64_t count)
{
    for (int i = 0; i < PASSED_ENDINGS; i++) {
        struct passed_ending *ending = &passed->ending[i];
        if (ending->text[0] == '\0') memcpy(ending->text, text, strlen(text) + 1);
        if (strcmp(ending->text, text) != 0) continue;
        ending->count += count;
        return;
    }
}

void passed_add_file(struct passed *passed, const char *name)
{
    const char *ending = ending_of_unread(name);
    passed_add(passed, ending ? PASSED_FORMAT : PASSED_OTHER, name);
    if (ending) add_ending(passed, ending, 1);
}

void passed_merge(struct passed *passed, const struct passed *more)
{
    for (int i = 0; i < PASSED_REASONS; i++)
        passed_add_many(passed, (enum passed_reason)i, more->count[i], more->example[i]);
    for (int i = 0; i < PASSED_ENDINGS && more->ending[i].text[0] != '\0'; i++)
        add_ending(passed, more->ending[i].text, more->ending[i].count);
}

int64_t passed_total(const struct passed *passed)
{
    int64_t total = 0;
    for (int i = 0; i < PASSED_REASONS; i++) total += passed->count[i];
    return total;
}

bool passed_matters(const struct passed *passed)
{
    for (int i = 0; i < PASSED_REASONS; i++)
        if (reasons[i].matters && passed->count[i] > 0) return true;
    return false;
}

static void describe_endings(const struct passed *passed, struct text *text)
{
    for (int i = 0; i < PASSED_ENDINGS && passed->ending[i].text[0] != '\0'; i++)
        text_add(text, "%s%" PRId64 " %s", i > 0 ? ", " : " (", passed->ending[i].count, passed->ending[i].text);
    text_add(text, "%s", passed->ending[0].text[0] != '\0' ? ")" : "");
}

void passed_describe(const struct passed *passed, struct text *text)
{
    const char *between = "";
    for (int i = 0; i < PASSED_REASONS; i++) {
        const int64_t count = passed->count[i];
        if (count == 0) continue;
        text_add(text, "%s%" PRId64 " %s", between, count, count == 1 ? reasons[i].one : reasons[i].many);
        if (i == PASSED_FORMAT)
            describe_endings(passed, text);
        else if (passed->example[i][0] != '\0')
            text_add(text, " (%s%s)", passed->example[i], count > 1 ? ", ..." : "");
        between = ", ";
    }
}

void passed_json(const struct passed *passed, struct text *text, const char *key)
{
    text_json_open_object(text, key);
    text_json_integer(text, "total", passed_total(passed));
    for (int i = 0; i < PASSED_REASONS; i++)
        if (passed->count[i] > 0) text_json_integer(text, reasons[i].key, passed->count[i]);
    text_json_open_object(text, "endings");
    for (int i = 0; i < PASSED_ENDINGS && passed->ending[i].text[0] != '\0'; i++)
        text_json_integer(text, passed->ending[i].text, passed->ending[i].count);
    text_json_close_object(text);
    text_json_close_object(text);
}

void passed_say(const struct passed *passed, const char *path, const struct log *log)
{
    struct text text = {0};
    if (passed_total(passed) == 0) return;
    passed_describe(passed, &text);
    if (!text.failed)
        log_line(log, passed_matters(passed) ? LOG_WARNING : LOG_INFO, "%s: passed over: %s", path, text.bytes);
    text_free(&text);
}

/* What torchvision and others leave of CIFAR: pickles, which are programs and are not run. The set to fetch, or NULL.
 */
static const char *cifar_pickles(const struct passed *passed)
{
    const char *name = passed->example[PASSED_OTHER];
    if (strstr(name, "cifar-100-python")) return "cifar100";
    static const char *const ten[] = {"cifar-10-batches-py", "cifar-10-python", "data_batch_", "batches.meta"};
    for (size_t i = 0; i < sizeof ten / sizeof *ten; i++)
        if (strstr(name, ten[i])) return "cifar10";
    return NULL;
}

int passed_no_images(const struct passed *passed, const char *path, struct error *error)
{
    struct text text = {0};
    passed_describe(passed, &text);
    const char *cifar = cifar_pickles(passed);
    if (cifar) {
        text_free(&text);
        return error_set(error, SIMCLR_DATA,
                         "%.200s: no images, but CIFAR's Python version: pickles, which are not read: take its binary "
                         "version (simclr data fetch %s --out FOLDER)",
                         path, cifar);
    }
    const bool told = passed_total(passed) > 0 && !text.failed;
    const bool formats = passed->count[PASSED_FORMAT] > 0;
    error_set(error, SIMCLR_DATA, "%.120s: no images: it has no %s files%s%.250s%s", path, endings_read(),
              told ? ", but " : "", told ? text.bytes : "", formats ? ": convert these to JPEG or PNG" : "");
    text_free(&text);
    return SIMCLR_DATA;
}

bool passed_is_hidden(const char *component, size_t length)
{
    return component[0] == '.' || (length == 8 && memcmp(component, "__MACOSX", 8) == 0) ||
           (length > 4 && memcmp(component, "__", 2) == 0 && memcmp(component + length - 2, "__", 2) == 0);
}

bool passed_is_sound(const struct passed *passed)
{
    bool sound = true;
    for (int i = 0; i < PASSED_REASONS; i++)
        sound &= passed->count[i] >= 0 && memchr(passed->example[i], '\0', PASSED_EXAMPLE) != NULL;
    for (int i = 0; i < PASSED_ENDINGS; i++)
        sound &= passed->ending[i].count >= 0 && memchr(passed->ending[i].text, '\0', PASSED_ENDING) != NULL;
    return sound;
}
