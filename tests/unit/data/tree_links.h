/* unit/data/tree_links.h -- tests only: trees with links to folders.
 *
 * A folder with such a link is the set that a folder is in which a copy of what it leads to stands in its place. A link
 * to a folder that it lies in is counted and not followed. An archive has the link as a member without contents, and
 * counts it. */
#ifndef UNIT_DATA_TREE_LINKS_H
#define UNIT_DATA_TREE_LINKS_H

#include "unit/data/tree_support.h"

/* `outer` has no slash at its end; "": the top. */
static inline bool tree_lies_in(const char *path, const char *outer)
{
    const size_t length = strlen(outer);
    return length == 0 || (strncmp(path, outer, length) == 0 && path[length] == '/');
}

static inline bool tree_leads_up(const char *link)
{
    return tree_lies_in(link, tree_arrow(link) + 4);
}

/* The tree without its links to folders; with `copies` what each leads to stands in its place. */
static inline struct tree tree_without_links(const struct tree *tree, bool copies)
{
    struct tree plain = {.files = 0};
    for (int i = 0; i < tree->files; i++) {
        const char *link = tree->path[i], *arrow = tree_arrow(link);
        if (!arrow) tree_add(&plain, "%s", link);
        if (!arrow || !copies || tree_leads_up(link)) continue;
        const size_t target = strlen(arrow + 4);
        for (int k = 0; k < tree->files; k++)
            if (!tree_arrow(tree->path[k]) && tree_lies_in(tree->path[k], arrow + 4))
                tree_add(&plain, "%.*s/%s", (int)(arrow - link), link, tree->path[k] + target + (target > 0));
    }
    return plain;
}

/* tree_check for a tree with links to folders. */
static inline char *tree_check_links(const struct tree *tree, bool images)
{
    const struct tree copies = tree_without_links(tree, true), plain = tree_without_links(tree, false);
    char *copied = tree_check(&copies, images), *shown;
    int64_t loops = 0;
    for (int i = 0; i < tree->files; i++) loops += tree_arrow(tree->path[i]) && tree_leads_up(tree->path[i]);
    shown = tree_look(tree, TREE_FOLDER, tree_count(&copies) + loops, images);
    tree_same(tree, "a folder with links", shown, "a folder with copies", copied);
    memory_free(shown);
    for (int kind = TREE_TAR; kind < TREE_KINDS; kind++) {
        char *without = tree_look(&plain, kind, tree_count(&plain), images);
        shown = tree_look(tree, kind, tree_count(tree), images);
        tree_same(tree, "an archive with links", shown, "one without", without);
        memory_free(shown);
        memory_free(without);
    }
    return copied;
}

#endif
