/* --network RATE,DELAY: what it takes, and what it refuses with a sentence. */
#include "support/run.h"

#include <math.h>
#include <string.h>

#include "forecast/link.h"

static void rates_and_delays_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double bytes_per_second, delay;
    } cases[] = {
        {"10gbit,60us", 1.25e9, 60e-6}, {"1Gbit/s,0.1ms", 1.25e8, 1e-4},  {"100mbit,1ms", 1.25e7, 1e-3},
        {"9600bit,2s", 1200, 2},        {"2.5GBIT,500ns", 3.125e8, 5e-7}, {"56kbit,0", 7000, 0},
        {"1tbit,0us", 1.25e11, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct link_speed link;
        struct error error = {0};
        if (link_speed_read(&link, cases[i].text, &error)) fail_msg("%s: %s", cases[i].text, error.text);
        if (!(fabs(link.bytes_per_second / cases[i].bytes_per_second - 1) < 1e-12))
            fail_msg("%s: %g bytes a second", cases[i].text, link.bytes_per_second);
        if (!(fabs(link.delay - cases[i].delay) <= 1e-12 * cases[i].delay))
            fail_msg("%s: a delay of %g s", cases[i].text, link.delay);
    }
}

/* The sentence names the text, the part that is wrong, and one that is right. */
static void others_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"", "comma"},
        {"10gbit", "comma"},
        {"10GB,60us", "rate"},
        {"10,60us", "rate"},
        {"0gbit,60us", "rate"},
        {"-1gbit,60us", "rate"},
        {"infgbit,60us", "rate"},
        {"nanbit,1us", "rate"},
        {",60us", "rate"},
        {" 1gbit,60us", "rate"},
        {"1 gbit,60us", "rate"},
        {"1e400gbit,1us", "rate"},
        {"10gbit,", "delay"},
        {"10gbit,60", "delay"},
        {"10gbit,60min", "delay"},
        {"10gbit,-1us", "delay"},
        {"10gbit,60us,", "delay"},
        {"1gbitgbit,1us", "rate"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct link_speed link;
        struct error error = {0};
        if (link_speed_read(&link, cases[i].text, &error) != SIMCLR_INVALID) fail_msg("\"%s\" is taken", cases[i].text);
        if (!strstr(error.text, cases[i].part) || !strstr(error.text, "10gbit,60us"))
            fail_msg("\"%s\": %s", cases[i].text, error.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates_and_delays_are_read),
        cmocka_unit_test(others_are_refused),
    };
    return run_cases(tests, NULL, NULL);
}
