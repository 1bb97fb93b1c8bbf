/* Convolutions in bfloat16, computed by oneDNN, as operations of MindSpore's compiled graphs.

MindSpore's own convolutions on a CPU are float32 only. For an operation ops.Custom("library.so:convolve", func_type="aot")
it calls the function of that name with pointers to the operation's inputs and outputs. Values are float32 in plain
layouts: images (N, C, H, W), filters (outputs, inputs, 4, 4). A call rounds its inputs to bfloat16 in the layouts that
oneDNN prefers, multiplies these, sums in float32, and rearranges the result. All convolutions have 4x4 filters and one
pixel of zero padding; the shapes tell the stride.

This is not the oneDNN inside MindSpore, which is limited to AVX2 and has no threads for other callers.
pix2pix/devices/bfloat16.py compiles this file. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dnnl.h"

/* opened by its path, because a library of the same name is part of MindSpore */
#define FUNCTIONS(DO) \
    DO(dnnl_set_max_cpu_isa) DO(dnnl_engine_create) DO(dnnl_stream_create) DO(dnnl_memory_desc_create_with_tag) \
    DO(dnnl_memory_desc_destroy) DO(dnnl_memory_desc_get_size) DO(dnnl_memory_create) DO(dnnl_memory_set_data_handle) \
    DO(dnnl_convolution_forward_primitive_desc_create) DO(dnnl_convolution_backward_data_primitive_desc_create) \
    DO(dnnl_convolution_backward_weights_primitive_desc_create) DO(dnnl_reorder_primitive_desc_create) \
    DO(dnnl_primitive_desc_query_md) DO(dnnl_primitive_desc_destroy) DO(dnnl_primitive_create) \
    DO(dnnl_primitive_execute)
#define DECLARE(name) __typeof__(name) *name;
#define FIND(name) \
    if (!(onednn.name = (__typeof__(name) *)dlsym(library, #name))) return dnnl_not_required;
#define TRY(call) \
    do { \
        int status = (call); \
        if (status) return status; \
    } while (0)

static struct { FUNCTIONS(DECLARE) } onednn;
static void (*set_threads)(int);
static int threads;
static dnnl_engine_t engine;
static dnnl_stream_t stream;
/* operations run one after the other, each on all threads, and share these buffers */
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
enum { RESULT = 2, BETWEEN, BUFFERS };
static void *buffers[BUFFERS];
static size_t room[BUFFERS];

enum pass { FORWARD, BY_INPUT, BY_FILTERS };

/* an input or the result of a convolution: plain as MindSpore has it, and rearranged as oneDNN prefers it */
typedef struct {
    int argument;
    size_t bytes, bytes_between;
    dnnl_memory_t plain, between, rearranged;
    dnnl_primitive_t rearrange, to_between;
} Operand;

typedef struct Convolution {
    struct Convolution *next;
    enum pass pass;
    int64_t shape[7]; /* N, C, H, W of the larger image; C, H, W of the smaller one */
    dnnl_primitive_t primitive;
    Operand operands[3];
} Convolution;
static Convolution *known;

/* Open oneDNN; `number` is how many threads it computes with. To be called before anything else. */
int load(const char *path, int number) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
    if (!library) return dnnl_not_required;
    FUNCTIONS(FIND)
    if (!(set_threads = (void (*)(int))dlsym(library, "omp_set_num_threads"))) return dnnl_not_required;
    threads = number;
    if (engine) return 0;
    /* not what ONEDNN_MAX_CPU_ISA says, which is for MindSpore */
    TRY(onednn.dnnl_set_max_cpu_isa(dnnl_cpu_isa_default));
    TRY(onednn.dnnl_engine_create(&engine, dnnl_cpu, 0));
    return onednn.dnnl_stream_create(&stream, engine, dnnl_stream_default_flags);
}

static int describe(dnnl_memory_desc_t *description, const int64_t *shape, dnnl_data_type_t type, dnnl_format_tag_t tag) {
    return onednn.dnnl_memory_desc_create_with_tag(description, 4, shape, type, tag);
}

static int create_reorder(dnnl_primitive_t *reorder, const_dnnl_memory_desc_t from, const_dnnl_memory_desc_t to) {
    dnnl_primitive_desc_t description;
    TRY(onednn.dnnl_reorder_primitive_desc_create(&description, from, engine, to, engine, NULL));
    TRY(onednn.dnnl_primitive_create(reorder, description));
    return onednn.dnnl_primitive_desc_destroy(description);
}

/* Set up how operand `index` of `shape` is rearranged to or from `preferred`. */
static int create_operand(
    Operand *operand, int index, const int64_t *shape, const_dnnl_memory_desc_t preferred, dnnl_format_tag_t by_way_of) {
    dnnl_memory_desc_t plain, between;
    TRY(describe(&plain, shape, dnnl_f32, dnnl_abcd));
    TRY(onednn.dnnl_memory_create(&operand->plain, plain, engine, DNNL_MEMORY_NONE));
    TRY(onednn.dnnl_memory_create(&operand->rearranged, preferred, engine, DNNL_MEMORY_NONE));
    operand->bytes = onednn.dnnl_memory_desc_get_size(preferred);
    if (index == RESULT) {
        TRY(create_reorder(&operand->rearrange, preferred, plain));
    } else if (by_way_of == dnnl_format_tag_undef) {
        TRY(create_reorder(&operand->rearrange, plain, preferred));
    } else {
        TRY(describe(&between, shape, dnnl_bf16, by_way_of));
        TRY(onednn.dnnl_memory_create(&operand->between, between, engine, DNNL_MEMORY_NONE));
        operand->bytes_between = onednn.dnnl_memory_desc_get_size(between);
        TRY(create_reorder(&operand->to_between, plain, between));
        TRY(create_reorder(&operand->rearrange, between, preferred));
        TRY(onednn.dnnl_memory_desc_destroy(between));
    }
    return onednn.dnnl_memory_desc_destroy(plain);
}

static int create(Convolution *created) {
    static const struct { int argument; dnnl_query_t query; int image; } roles[3][3] = {
        {{DNNL_ARG_SRC, dnnl_query_src_md, 0}, {DNNL_ARG_WEIGHTS, dnnl_query_weights_md, 1},
         {DNNL_ARG_DST, dnnl_query_dst_md, 2}},
        {{DNNL_ARG_DIFF_DST, dnnl_query_diff_dst_md, 2}, {DNNL_ARG_WEIGHTS, dnnl_query_weights_md, 1},
         {DNNL_ARG_DIFF_SRC, dnnl_query_diff_src_md, 0}},
        {{DNNL_ARG_SRC, dnnl_query_src_md, 0}, {DNNL_ARG_DIFF_DST, dnnl_query_diff_dst_md, 2},
         {DNNL_ARG_DIFF_WEIGHTS, dnnl_query_diff_weights_md, 1}},
    };
    const int64_t *s = created->shape, stride = s[2] == s[5] + 1 && s[3] == s[6] + 1 ? 1 : 2;
    const dnnl_dims_t shapes[3] = {{s[0], s[1], s[2], s[3]}, {s[4], s[1], 4, 4}, {s[0], s[4], s[5], s[6]}};
    const dnnl_dims_t strides = {stride, stride}, dilation = {0, 0}, padding = {1, 1};
    dnnl_memory_desc_t any[3]; /* the larger image, the filters, the smaller image; the result in float32 */
    for (int i = 0; i < 3; i++) {
        int is_result = i == roles[created->pass][RESULT].image;
        TRY(describe(&any[i], shapes[i], is_result ? dnnl_f32 : dnnl_bf16, dnnl_format_tag_any));
    }
    dnnl_memory_desc_t input, filters, output; /* of the forward pass that the gradients refer to */
    TRY(describe(&input, shapes[0], dnnl_bf16, dnnl_format_tag_any));
    TRY(describe(&filters, shapes[1], dnnl_bf16, dnnl_format_tag_any));
    TRY(describe(&output, shapes[2], created->pass == FORWARD ? dnnl_f32 : dnnl_bf16, dnnl_format_tag_any));
    dnnl_primitive_desc_t forward, chosen;
    TRY(onednn.dnnl_convolution_forward_primitive_desc_create(&forward, engine, dnnl_forward_training,
        dnnl_convolution_direct, input, filters, NULL, output, strides, dilation, padding, padding, NULL));
    chosen = forward;
    if (created->pass == BY_INPUT)
        TRY(onednn.dnnl_convolution_backward_data_primitive_desc_create(&chosen, engine, dnnl_convolution_direct,
            any[0], any[1], any[2], strides, dilation, padding, padding, forward, NULL));
    if (created->pass == BY_FILTERS)
        TRY(onednn.dnnl_convolution_backward_weights_primitive_desc_create(&chosen, engine, dnnl_convolution_direct,
            any[0], any[1], NULL, any[2], strides, dilation, padding, padding, forward, NULL));
    TRY(onednn.dnnl_primitive_create(&created->primitive, chosen));
    for (int i = 0; i < 3; i++) {
        Operand *operand = &created->operands[i];
        operand->argument = roles[created->pass][i].argument;
        /* filters in two steps, which for BY_INPUT take a third of the time of one */
        dnnl_format_tag_t tag = created->pass == FORWARD ? dnnl_abcd : dnnl_acdb;
        int image = roles[created->pass][i].image;
        TRY(create_operand(operand, i, shapes[image],
            onednn.dnnl_primitive_desc_query_md(chosen, roles[created->pass][i].query, 0),
            image == 1 ? tag : dnnl_format_tag_undef));
    }
    return 0;
}

/* The convolution of this pass and shape, which is created when it is needed for the first time. */
static int find(Convolution **found, enum pass pass, const int64_t *larger, const int64_t *smaller) {
    int64_t shape[7] = {larger[0], larger[1], larger[2], larger[3], smaller[1], smaller[2], smaller[3]};
    for (*found = known; *found; *found = (*found)->next)
        if ((*found)->pass == pass && !memcmp((*found)->shape, shape, sizeof shape)) return 0;
    Convolution *created = calloc(1, sizeof *created);
    if (!created) return dnnl_out_of_memory;
    created->pass = pass;
    memcpy(created->shape, shape, sizeof shape);
    TRY(create(created));
    created->next = known;
    *found = known = created;
    return 0;
}

/* Let `memory` be a buffer of at least that size. */
static int use_buffer(dnnl_memory_t memory, int index, size_t bytes) {
    if (room[index] < bytes) {
        free(buffers[index]);
        buffers[index] = NULL;
        room[index] = 0;
        if (posix_memalign(&buffers[index], 64, bytes)) return dnnl_out_of_memory;
        room[index] = bytes;
    }
    return onednn.dnnl_memory_set_data_handle(memory, buffers[index]);
}

static int reorder(dnnl_primitive_t primitive, dnnl_memory_t from, dnnl_memory_t to) {
    dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
    return onednn.dnnl_primitive_execute(primitive, stream, 2, arguments);
}

static int compute(enum pass pass, const int64_t *larger, const int64_t *smaller, void **values) {
    Convolution *convolution;
    dnnl_exec_arg_t arguments[3];
    set_threads(threads); /* of the calling thread, and MindSpore has several */
    TRY(find(&convolution, pass, larger, smaller));
    for (int i = 0; i < 3; i++) {
        Operand *operand = &convolution->operands[i];
        TRY(onednn.dnnl_memory_set_data_handle(operand->plain, values[i]));
        TRY(use_buffer(operand->rearranged, i, operand->bytes));
        if (operand->between) {
            TRY(use_buffer(operand->between, BETWEEN, operand->bytes_between));
            TRY(reorder(operand->to_between, operand->plain, operand->between));
            TRY(reorder(operand->rearrange, operand->between, operand->rearranged));
        } else if (i != RESULT) {
            TRY(reorder(operand->rearrange, operand->plain, operand->rearranged));
        }
        arguments[i] = (dnnl_exec_arg_t){operand->argument, operand->rearranged};
    }
    TRY(onednn.dnnl_primitive_execute(convolution->primitive, stream, 3, arguments));
    Operand *result = &convolution->operands[RESULT];
    return reorder(result->rearrange, result->rearranged, result->plain);
}

static int in_turn(enum pass pass, const int64_t *larger, const int64_t *smaller, void **values) {
    pthread_mutex_lock(&turn);
    int status = compute(pass, larger, smaller, values);
    pthread_mutex_unlock(&turn);
    return status;
}

/* The operations. Those whose result depends on the stride have two names, since MindSpore treats two operations with the
same name as one. */
#define OPERATION(name, pass, larger, smaller) \
    int name(int number, void **values, int *ranks, int64_t **shapes, const char **types, void *unused, void *extra) { \
        return in_turn(pass, shapes[larger], shapes[smaller], values); \
    }
/* image, filters -> smaller image */
OPERATION(convolve_stride_1, FORWARD, 0, 2)
OPERATION(convolve_stride_2, FORWARD, 0, 2)
/* image, filters -> larger image: the gradient with respect to the input, and the transposed convolution */
OPERATION(transpose_stride_1, BY_INPUT, 2, 0)
OPERATION(transpose_stride_2, BY_INPUT, 2, 0)
/* larger image, smaller image -> filters: the gradient with respect to the filters */
OPERATION(correlate, BY_FILTERS, 0, 1)
