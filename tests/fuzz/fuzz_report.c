/* Any bytes as evaluation.json and as predictions.npz: refused with a sentence, or figures whose numbers are finite or
 * not there, and classes within those that there are. */
#include <math.h>
#include <string.h>

#include "fuzz.h"
#include "report/judged.h"
#include "report/predicted.h"

long fuzz_accepted;

static void read_judged(const uint8_t *bytes, size_t count)
{
    struct judged judged;
    struct error error = {0};
    const int status = judged_parse(&judged, (const char *)bytes, count, "fuzz", &error);
    FUZZ_CHECK(judged_is_there(&judged) == (status == SIMCLR_OK));
    if (status != SIMCLR_OK) {
        FUZZ_CHECK(status < 0 && error.text[0] != '\0');
        return;
    }
    fuzz_accepted++;
    for (size_t i = 0; i < judged.count; i++) {
        const struct judged_figure *figure = &judged.figure[i];
        char text[JUDGED_TEXT];
        judged_write(text, figure->metric, figure->value, figure->low, figure->high);
        FUZZ_CHECK(text[0] != '\0' && !strstr(text, "nan") && !strstr(text, "inf"));
        FUZZ_CHECK(!isinf(figure->value) && figure->setting && figure->protocol);
        FUZZ_CHECK(judged_find(&judged, figure->protocol, figure->setting, figure->metric, figure->source));
    }
    judged_free(&judged);
}

static void read_predicted(const uint8_t *bytes, size_t count)
{
    struct predicted predicted;
    struct error error = {0};
    const struct blob blob = blob_of_memory(bytes, count);
    if (predicted_parse(&predicted, &blob, "fuzz", &error) != SIMCLR_OK) {
        FUZZ_CHECK(error.text[0] != '\0' && !predicted.labels && !predicted.best && !predicted.probabilities);
        return;
    }
    fuzz_accepted++;
    for (int64_t i = 0; i < predicted.count; i++) {
        FUZZ_CHECK(predicted.best[i] >= 0 && predicted.best[i] < predicted.classes);
        FUZZ_CHECK(predicted.labels[i] >= 0 && predicted.labels[i] < predicted.classes);
    }
    predicted_free(&predicted);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    read_judged(bytes, count);
    read_predicted(bytes, count);
    return 0;
}
