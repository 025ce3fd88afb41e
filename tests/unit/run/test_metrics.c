/* metrics.jsonl across restarts, and TensorBoard's files byte by byte. */
#include "support/run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/checksum.h"
#include "base/file.h"
#include "base/memory.h"
#include "run/metrics.h"
#include "support/folder.h"

static void write_steps(int64_t from, int64_t to, bool tensorboard)
{
    struct metrics metrics;
    assert_int_equal(metrics_open(&metrics, folder, NULL, from, tensorboard, NULL), SIMCLR_OK);
    for (int64_t step = from + 1; step <= to; step++) {
        metrics_begin(&metrics, step, 0.5 * (double)step);
        metrics_number(&metrics, "train/loss", 0.25 * (double)step);
        metrics_number(&metrics, "train/top1", 0.125);
        assert_int_equal(metrics_end(&metrics, NULL), SIMCLR_OK);
    }
    metrics_close(&metrics);
}

static void append(const char *text)
{
    char *path = file_join(folder, "metrics.jsonl");
    FILE *file = fopen(path, "a");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    memory_free(path);
}

static char *read_metrics(void)
{
    uint8_t *bytes;
    size_t count;
    char *path = file_join(folder, "metrics.jsonl");
    assert_int_equal(file_read(path, 1 << 20, &bytes, &count, NULL), SIMCLR_OK);
    memory_free(path);
    return (char *)bytes;
}

static void assert_steps(int64_t last)
{
    char *text = read_metrics();
    long long expected = 0, step;
    for (char *at = text; *at != '\0'; at = strchr(at, '\n') + 1) {
        assert_int_equal(sscanf(at, "{\"step\": %lld", &step), 1);
        assert_int_equal(step, ++expected);
    }
    assert_int_equal(expected, last);
    memory_free(text);
}

/* Killed at step 7 in the middle of a line, resumed from step 4: steps 5 to 7 must not be there twice. */
static void later_lines_are_dropped(void **state)
{
    (void)state;
    write_steps(0, 7, false);
    append("{\"step\": 8, \"epo");
    write_steps(4, 6, false);
    assert_steps(6);
    write_steps(6, 8, false);
    assert_steps(8);
    write_steps(0, 1, false);
    assert_steps(1);
    char *text = read_metrics();
    assert_non_null(strstr(text, "\"epoch\": 0.5, \"wall_time\": "));
    assert_non_null(strstr(text, "\"train/loss\": 0.25, \"train/top1\": 0.125}\n"));
    memory_free(text);
}

static void resume_at(int64_t step, int64_t expected)
{
    struct metrics metrics;
    char *path = file_join(folder, "metrics.jsonl");
    assert_int_equal(metrics_open(&metrics, folder, NULL, step, false, NULL), SIMCLR_OK);
    metrics_close(&metrics);
    assert_int_equal(file_size(path), expected);
    memory_free(path);
}

/* Files of 0 to 40 lines of all lengths, cut at every step, with what a kill or a power failure leaves at their end. */
static void the_cut_is_found_wherever_it_is(void **state)
{
    (void)state;
    static const char *const ends[] = {"", "{\"step\": 9", "no line\n", "{\"step\": x}\n"};
    char *path = file_join(folder, "metrics.jsonl");
    for (int lines = 0; lines <= 40; lines++)
        for (int step = -1; step <= lines / 2 + 1; step++)
            for (size_t end = 0; end < sizeof ends / sizeof *ends; end++) {
                int64_t expected = 0;
                FILE *file = fopen(path, "w");
                assert_non_null(file);
                for (int i = 0; i < lines; i++) { /* two lines of most steps: one of the epoch */
                    fprintf(file, "{\"step\": %d, \"x\": \"%*s\"}\n", i / 2, i * i * 7 % 90, "");
                    if (i / 2 <= step) expected = ftell(file);
                }
                fputs(ends[end], file);
                fclose(file);
                resume_at(step, expected);
            }
    remove(path);
    memory_free(path);
}

/* More than a gibibyte, most of it a hole as a power failure leaves it: neither read whole nor refused. */
static void a_long_file_is_not_read_whole(void **state)
{
    (void)state;
    char *path = file_join(folder, "metrics.jsonl");
    write_steps(0, 3, false);
    const int64_t bytes = file_size(path);
    assert_int_equal(truncate(path, (off_t)3 << 30), 0);
    resume_at(3, bytes);
    assert_steps(3);
    remove(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    struct metrics metrics;
    struct error error;
    assert_int_equal(metrics_open(&metrics, folder, NULL, 3, false, &error), SIMCLR_IO); /* refused, not waited for */
    remove(path);
    memory_free(path);
}

/* What was written is what is read, in its order; a torn last line is left out; anything else is refused by its line.
 */
static void lines_are_read_again(void **state)
{
    (void)state;
    struct metrics metrics;
    struct metrics_history history;
    struct error error;
    assert_int_equal(metrics_open(&metrics, folder, NULL, 0, false, NULL), SIMCLR_OK);
    metrics_begin(&metrics, 0, 0);
    metrics_close(&metrics);
    write_steps(0, 3, false);
    assert_int_equal(metrics_open(&metrics, folder, NULL, 3, false, NULL), SIMCLR_OK);
    metrics_begin(&metrics, 3, 1.0 / 3);
    metrics_number(&metrics, "epoch/loss", NAN);
    metrics_number(&metrics, "a \"name\"", 1e-300);
    assert_int_equal(metrics_end(&metrics, NULL), SIMCLR_OK);
    metrics_close(&metrics);
    append("{\"step\": 4, \"epo");
    if (metrics_read(folder, &history, &error) != SIMCLR_OK) fail_msg("%s", error.text);
    assert_int_equal(history.count, 4);
    for (int i = 0; i < 3; i++) {
        const struct metrics_row *row = &history.rows[i];
        assert_int_equal(row->step, i + 1);
        assert_true(row->epoch == 0.5 * (i + 1) && row->wall_time > 1e9);
        assert_int_equal(row->count, 2);
        assert_string_equal(row->values[0].name, "train/loss");
        assert_true(row->values[0].value == 0.25 * (i + 1) && *metrics_find(row, "train/top1") == 0.125);
        assert_null(metrics_find(row, "epoch/loss"));
        assert_null(metrics_find(row, "step"));
    }
    assert_true(history.rows[3].epoch == 1.0 / 3 && *metrics_find(&history.rows[3], "a \"name\"") == 1e-300);
    assert_true(isnan(*metrics_find(&history.rows[3], "epoch/loss")));
    metrics_history_free(&history);

    static const char *const wrong[] = {"ch\": 1, \"wall_time\": 1}\n{}\n",
                                        "[1]\n",
                                        "{\"step\": 1.5}\n",
                                        "{\"step\": 5, \"epoch\": 1, \"wall_time\": 1, \"x\": \"1\"}\n",
                                        "{\"step\": 5, \"epoch\": 1, \"wall_time\": 1, \"x\": {\"y\": 1}}\n",
                                        "\n"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (i > 0) write_steps(0, 0, false);
        append(wrong[i]);
        assert_int_equal(metrics_read(folder, &history, &error), SIMCLR_CORRUPT);
        assert_non_null(strstr(error.text, i == 0 ? "metrics.jsonl:6: " : "metrics.jsonl:1: "));
        assert_null(history.rows);
    }
    assert_int_equal(metrics_read("absent", &history, &error), SIMCLR_IO);
}

static uint64_t little_endian(const uint8_t *bytes, int count)
{
    uint64_t value = 0;
    for (int i = 0; i < count; i++) value |= (uint64_t)bytes[i] << 8 * i;
    return value;
}

/* TensorFlow's masking, undone. */
static uint32_t unmask(uint32_t masked)
{
    const uint32_t rotated = masked - 0xa282ead8u;
    return rotated >> 17 | rotated << 15;
}

/* Checks the framing of the record at `at`; gives its payload. */
static const uint8_t *next_record(const uint8_t **at, const uint8_t *end, size_t *length)
{
    assert_true(end - *at >= 16);
    *length = (size_t)little_endian(*at, 8);
    assert_int_equal(crc32c(*at, 8), unmask((uint32_t)little_endian(*at + 8, 4)));
    const uint8_t *payload = *at + 12;
    assert_true((size_t)(end - payload) >= *length + 4);
    assert_int_equal(crc32c(payload, *length), unmask((uint32_t)little_endian(payload + *length, 4)));
    *at = payload + *length + 4;
    return payload;
}

static uint8_t *read_events(size_t *count)
{
    struct file_list list;
    uint8_t *bytes = NULL;
    assert_int_equal(file_list_folder(folder, &list, NULL), SIMCLR_OK);
    for (size_t i = 0; i < list.count && bytes == NULL; i++) {
        if (strncmp(list.names[i], "events.out.tfevents.", 20) != 0) continue;
        char *path = file_join(folder, list.names[i]);
        assert_int_equal(file_read(path, 1 << 20, &bytes, count, NULL), SIMCLR_OK);
        assert_int_equal(remove(path), 0);
        memory_free(path);
    }
    file_list_free(&list);
    assert_non_null(bytes);
    return bytes;
}

static void events_are_framed_protobuf(void **state)
{
    (void)state;
    size_t count, length;
    write_steps(0, 2, true);
    uint8_t *bytes = read_events(&count);
    const uint8_t *at = bytes, *end = bytes + count;

    const uint8_t *header = next_record(&at, end, &length);
    assert_int_equal(header[0], 0x09); /* wall_time: field 1, 64 bits */
    double time;
    memcpy(&time, header + 1, sizeof time);
    assert_true(time > 1.7e9 && time < 1e11);
    assert_memory_equal(header + 9,
                        "\x10\x00\x1a\x0d"
                        "brain.Event:2",
                        length - 9);
    for (int step = 1; step <= 2; step++) {
        const uint8_t *event = next_record(&at, end, &length);
        uint8_t expected[] = {0x10, 0,   0x2a, 38, /* step; summary of 38 bytes           */
                              0x0a, 17,  0x0a, 10,  't',  'r', 'a', 'i', 'n', '/',
                              'l',  'o', 's',  's', 0x15, 0,   0,   0,   0, /* simple_value: field 2, 32 bits      */
                              0x0a, 17,  0x0a, 10,  't',  'r', 'a', 'i', 'n', '/',
                              't',  'o', 'p',  '1', 0x15, 0,   0,   0,   0x3e}; /* 0.125f = 0x3e000000 */
        const float loss = 0.25f * (float)step;
        expected[1] = (uint8_t)step;
        memcpy(expected + 19, &loss, 4);
        assert_int_equal(length, 9 + sizeof expected);
        assert_memory_equal(event + 9, expected, sizeof expected);
    }
    assert_ptr_equal(at, end);
    memory_free(bytes);
}

/* A restart says so, from the step after the checkpoint on: {status: START}. 300 takes two bytes as a varint. */
static void a_restart_is_announced(void **state)
{
    (void)state;
    size_t count, length;
    write_steps(299, 300, true);
    uint8_t *bytes = read_events(&count);
    const uint8_t *at = bytes;
    next_record(&at, bytes + count, &length);
    const uint8_t *start = next_record(&at, bytes + count, &length);
    static const uint8_t expected[] = {0x10, 0xAC, 0x02, 0x3a, 2, 0x08, 1};
    assert_int_equal(length, 9 + sizeof expected);
    assert_memory_equal(start + 9, expected, sizeof expected);
    memory_free(bytes);
}

static void a_missing_folder_is_an_error(void **state)
{
    (void)state;
    struct metrics metrics;
    struct error error;
    assert_int_equal(metrics_open(&metrics, "/nowhere", NULL, 0, true, &error), SIMCLR_IO);
    assert_non_null(strstr(error.text, "/nowhere"));
    assert_null(metrics.file);
}

/* Two trainings one after the other, each from step 1: going on in the second leaves the first whole. */
static void phases_follow_one_another(void **state)
{
    (void)state;
    struct metrics metrics;
    struct metrics_history history;
    static const char *const names[] = {"first/loss", "second/loss"};
    for (int round = 0; round < 3; round++) { /* written, gone on with after step 3, gone on with from the start */
        const char *phase = round == 0 ? NULL : "second";
        const int64_t from = round == 1 ? 3 : 0;
        if (round == 0) unlink(at("metrics.jsonl"));
        assert_int_equal(metrics_open(&metrics, folder, phase, from, false, NULL), SIMCLR_OK);
        for (int training = round > 0; training < 2; training++)
            for (int64_t step = from + 1; step <= 9; step++) {
                metrics_begin(&metrics, step, 0);
                metrics_number(&metrics, names[training], (double)step + 100 * round);
                assert_int_equal(metrics_end(&metrics, NULL), SIMCLR_OK);
            }
        metrics_close(&metrics);
        assert_int_equal(metrics_read(folder, &history, NULL), SIMCLR_OK);
        assert_int_equal(history.count, 18);
        for (int i = 0; i < 18; i++) {
            const double *value = metrics_find(&history.rows[i], names[i / 9]);
            const int step = i % 9 + 1;
            const bool kept = i < 9 || round == 0 || step <= from;
            assert_true(value && *value == (kept ? step : step + 100 * round));
        }
        metrics_history_free(&history);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(later_lines_are_dropped),       cmocka_unit_test(the_cut_is_found_wherever_it_is),
        cmocka_unit_test(a_long_file_is_not_read_whole), cmocka_unit_test(lines_are_read_again),
        cmocka_unit_test(events_are_framed_protobuf),    cmocka_unit_test(a_restart_is_announced),
        cmocka_unit_test(a_missing_folder_is_an_error),  cmocka_unit_test(phases_follow_one_another),
    };
    return run_cases(tests, make_folder, remove_folder);
}
