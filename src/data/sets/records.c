/* data/sets/records.c -- see records.h. */
#include "data/sets/records.h"

#include "base/memory.h"

static int records_size(void *self, const struct catalog *catalog, int64_t item, int *width, int *height,
                        struct error *error)
{
    (void)catalog, (void)item, (void)error;
    *width = *height = ((const struct records *)self)->side;
    return SIMCLR_OK;
}

static int records_read(void *self, const struct catalog *catalog, int64_t item, struct image *storage,
                        struct error *error)
{
    const struct records *records = self;
    const struct record_file *file = records->file;
    while (item >= file->end) file++;
    const int64_t place = item - (file == records->file ? 0 : file[-1].end);
    const int64_t record = file->pick != NULL ? file->pick[place] : place;
    const int side = records->side, plane = side * side;
    uint8_t planes[3 * RECORD_SIDE_MAX * RECORD_SIDE_MAX];
    int status = blob_read_named(&file->blob, record * file->stride + file->skip, planes, (size_t)plane * 3,
                                 catalog_name(catalog, item), error);
    if (status == SIMCLR_OK) status = source_reserve(storage, side, side, error);
    if (status != SIMCLR_OK) return status;
    const int along = records->column_major ? side : 1, down = records->column_major ? 1 : side;
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side; x++)
            for (int c = 0; c < 3; c++) storage->rgb[3 * (y * side + x) + c] = planes[c * plane + y * down + x * along];
    return SIMCLR_OK;
}

static void records_close(void *self)
{
    struct records *records = self;
    for (int i = 0; i < records->files; i++) {
        blob_close(&records->file[i].blob);
        memory_free(records->file[i].pick);
    }
    memory_free(records);
}

int records_open(struct source *out, int side, bool column_major, struct error *error)
{
    struct records *records = memory_allocate(sizeof *records);
    if (records == NULL) return error_no_memory(error, "a reader of records", sizeof *records);
    records->side = side;
    records->column_major = column_major;
    *out = (struct source){.self = records, .size = records_size, .read = records_read, .close = records_close};
    return SIMCLR_OK;
}

int records_add(struct source *source, const struct shelf *shelf, const char *name, int skip, int64_t *count,
                const struct blob **blob, struct error *error)
{
    struct records *records = source->self;
    struct record_file *file = &records->file[records->files];
    int status = shelf_open(shelf, name, &file->blob, error);
    if (status != SIMCLR_OK) return status;
    records->files++;
    file->skip = skip;
    file->stride = skip + 3 * records->side * records->side;
    *blob = &file->blob;
    *count = file->blob.size / file->stride;
    if (file->blob.size == 0 || file->blob.size % file->stride != 0)
        return error_set(error, SIMCLR_CORRUPT,
                         "%s: %s is not a whole number of records of %d bytes: download it again", shelf->path, name,
                         file->stride);
    return SIMCLR_OK;
}

void records_end(struct source *source, const struct catalog *catalog, uint32_t *pick)
{
    struct records *records = source->self;
    records->file[records->files - 1].end = catalog->count;
    records->file[records->files - 1].pick = pick;
}
