/* write_tables NUMBER FOLDER -- for check_tables.py: a table of features (support/tables.h) in every format.
 *
 * FOLDER/t.* and v.tsv hold one table, and FOLDER/h.* another in half precision. FOLDER/truth says what the first
 * holds: rows, dim and classes as int64; the names of the classes, ended by NUL; then the rows. Of each row it has the
 * name, ended by NUL, the label as int32, and the values. */
#include <stdio.h>

#include "support/tables.h"

static int write_truth(const struct drawn_table *table, const char *folder)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/truth", folder);
    FILE *file = fopen(path, "wb");
    if (!file) return 1;
    const int64_t head[3] = {table->shape.rows, table->shape.dim, table->shape.classes};
    const size_t dim = (size_t)table->shape.dim;
    fwrite(head, sizeof *head, 3, file);
    for (int i = 0; i < table->shape.classes; i++) fwrite(table->classes[i], 1, strlen(table->classes[i]) + 1, file);
    for (int64_t i = 0; i < table->shape.rows; i++) {
        fwrite(table->names[i], 1, strlen(table->names[i]) + 1, file);
        fwrite(&table->labels[i], sizeof *table->labels, 1, file);
        fwrite(table->values + (size_t)i * dim, sizeof(float), dim, file);
    }
    return fclose(file) != 0;
}

static int write_all(const struct drawn_table *table, const char *folder, const char *stem, bool promised)
{
    for (int i = 0; i < TABLE_FORMATS; i++) {
        struct error error = {0};
        char path[4096];
        if (table->shape.half && !table_format_has_half((enum table_format)i)) continue;
        /* the names of .tsv would take the place of those of .npy */
        snprintf(path, sizeof path, "%s/%s%s", folder, i == TABLE_TSV ? "v" : stem,
                 table_format_ending((enum table_format)i));
        if (!drawn_table_write(table, path, (enum table_format)i, promised, &error)) continue;
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    int status = 0;
    if (argc != 3) return 2;
    const uint32_t number = (uint32_t)strtoul(argv[1], NULL, 10);
    for (int half = 0; !status && half < 2; half++) {
        struct drawn_table table;
        drawn_table(&table, number, half);
        if (!half)
            status = write_truth(&table, argv[2]) || write_all(&table, argv[2], "t", number % 2);
        else
            status = write_all(&table, argv[2], "h", number % 2);
        drawn_table_free(&table);
    }
    return status;
}
