/* run/environment.c -- see environment.h. */
#include "run/environment.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"

const char *environment_version(void)
{
    return SIMCLR_VERSION;
}

static void add_processor(struct text *text)
{
    char line[512], *colon;
    FILE *file = fopen("/proc/cpuinfo", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "model name", 10) != 0 || (colon = strchr(line, ':')) == NULL) continue;
        colon[strcspn(colon, "\n")] = '\0';
        text_json_string(text, "processor", colon[1] == ' ' ? colon + 2 : colon + 1);
        break;
    }
    if (file != NULL) fclose(file);
}

static void add_machine(struct text *text, const struct pool *pool)
{
    struct utsname machine;
    if (uname(&machine) == 0) {
        text_json_string(text, "host", machine.nodename);
        text_json_string(text, "system", machine.sysname);
        text_json_string(text, "kernel", machine.release);
        text_json_string(text, "architecture", machine.machine);
    }
    add_processor(text);
    text_json_integer(text, "processors_available", pool_processors(pool));
    text_json_integer(text, "memory_bytes", (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE));
}

static void add_time(struct text *text)
{
    const time_t now = (time_t)clock_wall();
    struct tm utc;
    char stamp[40] = "";
    if (gmtime_r(&now, &utc) != NULL) strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", &utc);
    text_json_string(text, "started", stamp);
}

static void add_data(struct text *text, const struct dataset *dataset)
{
    char fingerprint[24];
    snprintf(fingerprint, sizeof fingerprint, "%016llx", (unsigned long long)dataset_fingerprint(dataset));
    text_json_open_object(text, "data");
    text_json_string(text, "description", dataset_description(dataset));
    text_json_integer(text, "images", dataset_count(dataset));
    text_json_integer(text, "classes", dataset_classes(dataset));
    text_json_integer(text, "bad_images", dataset_bad_count(dataset));
    text_json_string(text, "fingerprint", fingerprint);
    text_json_close_object(text);
}

int environment_write(const char *path, const struct session *session, const struct dataset *dataset,
                      struct error *error)
{
    struct text text = {0};
    text_json_open_object(&text, NULL);
    text_json_string(&text, "version", SIMCLR_VERSION);
    add_time(&text);
    add_machine(&text, session->pool);
    text_json_string(&text, "compiler", __VERSION__);
    text_json_string(&text, "backend", session->backend->ops->description(session->backend));
    text_json_string(&text, "views", simd_name(session->simd & SIMD_VIEWS));
    text_json_string(&text, "precision", dtype_name(session->dtype));
    text_json_integer(&text, "threads", pool_threads(session->pool));
    text_json_integer(&text, "view_workers", session_workers(session));
    text_json_boolean(&text, "pinned", session_workers(session) > 0 && session_pin(session));
    add_data(&text, dataset);
    text_json_close_object(&text);
    text_add(&text, "\n");
    const int status = text.failed ? error_no_memory(error, "environment.json", 4096)
                                   : file_write_atomic(path, text.bytes, text.length, error);
    text_free(&text);
    return status;
}
