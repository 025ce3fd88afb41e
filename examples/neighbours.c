/* neighbours.c -- embeds the pictures that are named, and says which other one each is most similar to.
 *
 *     cc neighbours.c $(pkg-config --cflags --libs simclr) -o neighbours
 *     ./neighbours runs/photos cat.jpg dog.jpg horse.jpg */
#include <simclr/simclr.h>
#include <stdio.h>
#include <stdlib.h>

static int fail(const char *what, simclr_context *context)
{
    fprintf(stderr, "%s: %s\n", what, context ? simclr_error(context) : "no memory");
    return 1;
}

int main(int argc, char **argv)
{
    simclr_context *context;
    simclr_model *model;
    if (argc < 4) return fprintf(stderr, "usage: neighbours MODEL IMAGE IMAGE...\n"), 2;
    const int count = argc - 2;
    if (simclr_open(&context, NULL) != SIMCLR_OK) return fail("simclr", NULL);
    if (simclr_model_load(context, argv[1], 0, &model) != SIMCLR_OK) return fail(argv[1], context);

    const int dim = simclr_model_dim(model);
    simclr_image *images = calloc((size_t)count, sizeof *images);
    float *features = calloc((size_t)count * (size_t)dim, sizeof *features);
    int32_t *nearest = calloc((size_t)count, sizeof *nearest);
    float *similarity = calloc((size_t)count, sizeof *similarity);
    if (!images || !features || !nearest || !similarity) return fail("neighbours", NULL);
    for (int i = 0; i < count; i++) images[i] = (simclr_image){.size = sizeof *images, .path = argv[2 + i]};
    if (simclr_model_embed_batch(model, images, count, features) != SIMCLR_OK) return fail("embed", context);

    const simclr_search search = {.size = sizeof search, .rows = features, .row_count = count, .dim = dim, .k = 1};
    if (simclr_neighbours(context, &search, nearest, similarity) != SIMCLR_OK) return fail("neighbours", context);
    for (int i = 0; i < count; i++) printf("%s\t%s\t%.4f\n", argv[2 + i], argv[2 + nearest[i]], (double)similarity[i]);

    free(images), free(features), free(nearest), free(similarity);
    simclr_model_close(&model);
    simclr_close(&context);
    return 0;
}
