/* support/html.h -- tests only: a small strict reader of the HTML that our own writer makes. It wants more than HTML5
 * does: every element closed, every attribute quoted, no element out of place. */
#ifndef SUPPORT_HTML_H
#define SUPPORT_HTML_H

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { HTML_DEEPEST = 64, HTML_NAME = 32 };

/* The length of a character reference at `at`, or 0. */
static inline size_t html_reference(const char *at)
{
    static const char *const known[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strncmp(at, known[i], strlen(known[i])) == 0) return strlen(known[i]);
    return 0;
}

static inline bool html_is_void(const char *name)
{
    return strcmp(name, "meta") == 0 || strcmp(name, "img") == 0 || strcmp(name, "br") == 0;
}

/* Reads ` name="value"...` up to > or />; NULL where that is not what stands there. */
static inline const char *html_attributes(const char *at, bool *closed)
{
    *closed = false;
    while (*at == ' ') {
        at++;
        if (!islower((unsigned char)*at)) return NULL;
        while (isalpha((unsigned char)*at) || *at == '-' || isdigit((unsigned char)*at)) at++;
        if (at[0] != '=' || at[1] != '"') return NULL;
        for (at += 2; *at != '"'; at++)
            if (*at == '\0' || *at == '<' || (*at == '&' && html_reference(at) == 0)) return NULL;
        at++;
    }
    if (*at == '/') {
        *closed = true;
        at++;
    }
    return *at == '>' ? at + 1 : NULL;
}

/* Where a page (from <!DOCTYPE html> to </html>) is wrong, or NULL. */
static inline const char *html_problem(const char *page)
{
    char open[HTML_DEEPEST][HTML_NAME];
    int depth = 0;
    const char *at = page;
    if (strncmp(at, "<!DOCTYPE html>\n", 16) != 0) return at;
    for (at += 16; *at != '\0';) {
        if (*at == '&' && html_reference(at) == 0) return at;
        if (*at == '>') return at;
        if (*at != '<') {
            at++;
            continue;
        }
        const char *const start = at;
        const bool end = at[1] == '/';
        char name[HTML_NAME] = "";
        size_t length = 0;
        for (at += 1 + end; isalnum((unsigned char)*at) && length + 1 < sizeof name; at++) name[length++] = *at;
        if (length == 0) return start;
        if (end) {
            if (depth == 0 || strcmp(open[depth - 1], name) != 0 || *at != '>') return start;
            depth--;
            at++;
            continue;
        }
        bool closed;
        at = html_attributes(at, &closed);
        if (!at || depth == HTML_DEEPEST) return start;
        if (!closed && !html_is_void(name)) snprintf(open[depth++], HTML_NAME, "%s", name);
        if (strcmp(name, "style") == 0) { /* no element inside */
            at = strstr(at, "</style>");
            if (!at) return start;
        }
    }
    return depth == 0 ? NULL : at;
}

#endif
