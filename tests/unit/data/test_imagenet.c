/* ImageNet as it is downloaded: the training tar of tars, and the validation tar, whose labels lie beside it. */
#include "unit/data/archive_support.h"

static const size_t caches[2] = {0, NOT_CACHED};

/* ImageNet's validation archive has no labels; they lie beside it. */
static void imagenet_validation(void **state)
{
    (void)state;
    static const char *const files[2][2] = {
        {"val.txt", "ILSVRC2012_val_00000001.JPEG 2\nILSVRC2012_val_00000002.JPEG 0\n"},
        {"LOC_val_solution.csv", "ImageId,PredictionString\nILSVRC2012_val_00000002,n01440764 1 2 3 4\n"
                                 "ILSVRC2012_val_00000001,n01751748 9 8 7 6 \n"},
    };
    static const int classes[2] = {3, 2}, first[2] = {2, 1};
    struct kept_log *kept = memory_allocate(sizeof *kept);
    struct error error = {0};
    struct text tar = {0};
    struct dataset *set;
    put_folder(at("val"));
    for (int i = 1; i <= 3; i++) {
        char name[64];
        snprintf(name, sizeof name, "ILSVRC2012_val_%08d.JPEG", i);
        tar_add_jpeg(&tar, name, i);
    }
    tar_put(&tar, at("val/ILSVRC2012_img_val.tar"));
    assert_int_equal(open_logged(&set, at("val/ILSVRC2012_img_val.tar"), DATASET_TRAIN, "none", kept, &error), SIMCLR_OK);
    assert_int_equal(dataset_classes(set), 0);
    assert_int_equal(times_in(kept->text, "no labels: put val.txt"), 1);
    dataset_close(&set);
    for (int i = 0; i < 2; i++) {
        put_text(at("val/%s", files[i][0]), files[i][1]);
        if (open_logged(&set, at("val/ILSVRC2012_img_val.tar"), DATASET_TRAIN, "none", kept, &error) != SIMCLR_OK)
            fail_msg("%s", error.text);
        assert_int_equal(dataset_classes(set), classes[i]);
        expect_item(set, 0, "ILSVRC2012_img_val.tar/ILSVRC2012_val_00000001.JPEG", first[i], 1);
        assert_int_equal(dataset_label(set, 1), 0);
        assert_int_equal(dataset_label(set, 2), -1);
        assert_int_equal(times_in(kept->text, "no labels"), 0);
        dataset_close(&set);
        unlink(at("val/%s", files[i][0]));
    }
    put_text(at("val/val.txt"), "\njunk\n");
    refuse_set(at("val/ILSVRC2012_img_val.tar"), DATASET_TRAIN, SIMCLR_CORRUPT, "no line has an image and a label");
    memory_free(kept);
}

/* ImageNet's training archive: a tar of one tar per synset. */
static void tar_of_tars(void **state)
{
    (void)state;
    struct text outer = {0}, inner = {0};
    static const char *const synsets[2] = {"n01440764", "n01443537"};
    for (int s = 0; s < 2; s++) {
        for (int i = 0; i < 3; i++) {
            char name[64];
            snprintf(name, sizeof name, "%s_%d.JPEG", synsets[s], i);
            tar_add_jpeg(&inner, name, 10 * s + i);
        }
        static const char zeros[1024];
        char name[64];
        text_add_bytes(&inner, zeros, sizeof zeros);
        snprintf(name, sizeof name, "%s.tar", synsets[s]);
        tar_add(&outer, name, inner.bytes, inner.length);
        text_free(&inner);
    }
    tar_put(&outer, at("ILSVRC2012_img_train.tar"));
    for (int i = 0; i < 2; i++) {
        struct dataset *set = open_set(at("ILSVRC2012_img_train.tar"), DATASET_TRAIN, caches[i]);
        assert_int_equal(dataset_count(set), 6);
        assert_int_equal(dataset_classes(set), 2);
        assert_string_equal(dataset_class_name(set, 1), "n01443537");
        expect_item(set, 2, "ILSVRC2012_img_train.tar/n01440764/n01440764_2.JPEG", 0, 2);
        expect_item(set, 4, "ILSVRC2012_img_train.tar/n01443537/n01443537_1.JPEG", 1, 11);
        dataset_close(&set);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tar_of_tars),
        cmocka_unit_test(imagenet_validation),
    };
    return cmocka_run_group_tests(tests, support_open, support_close);
}
