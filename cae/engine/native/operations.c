// The TensorFlow operations, with the widest instruction set of this processor.
#include <stdlib.h>
#include <string.h>

#include "arithmetic.h"
#include "convolution.h"
#include "tensorflow/c/kernels.h"
// TensorFlow's header omits `struct`, which only C++ allows.
typedef struct TF_OpDefinitionBuilder TF_OpDefinitionBuilder;
typedef struct TF_ShapeInferenceContext TF_ShapeInferenceContext;
typedef struct TF_ShapeHandle TF_ShapeHandle;
typedef struct TF_DimensionHandle TF_DimensionHandle;
#include "tensorflow/c/ops.h"
#include "tensorflow/c/tf_tensor.h"

static const Convolution *convolution = &portable;
static const Arithmetic *arithmetic = &portable_arithmetic;
static const char *instructions = "portable";

// Return the name of the instruction set in use.
__attribute__((visibility("default"))) const char *cae_instructions(void) { return instructions; }

typedef struct {
  int32_t scale;
  int32_t padding[4];  // zeros at the top, bottom, left, right
  int32_t pool[4];     // rows, columns of a window; vertical, horizontal stride; all 0 without pooling
  TF_Bool relu, pool_same;
} Attributes;

static void *create(TF_OpKernelConstruction *construction) {
  Attributes *attributes = calloc(1, sizeof *attributes);
  TF_Status *status = TF_NewStatus();
  TF_OpKernelConstruction_GetAttrInt32(construction, "scale", &attributes->scale, status);
  TF_OpKernelConstruction_GetAttrInt32List(construction, "padding", attributes->padding, 4, status);
  TF_OpKernelConstruction_GetAttrBool(construction, "relu", &attributes->relu, status);
  TF_OpKernelConstruction_GetAttrInt32List(construction, "pool", attributes->pool, 4, status);
  TF_OpKernelConstruction_GetAttrBool(construction, "pool_same", &attributes->pool_same, status);
  if (attributes->pool[0] && attributes->scale != 1)
    TF_SetStatus(status, TF_INVALID_ARGUMENT, "There is no pooling after upsampling.");
  if (TF_GetCode(status) != TF_OK) TF_OpKernelConstruction_Failure(construction, status);
  TF_DeleteStatus(status);
  return attributes;
}

static Axis compute_axis(const Attributes *attributes, int axis, int size, int kernel) {
  const int32_t *zeros = attributes->padding + 2 * axis;
  int window = attributes->pool[axis], stride = attributes->pool[2 + axis];
  int output = attributes->scale * size + zeros[0] + zeros[1] - kernel + 1;
  Axis result = {
      .size = size,
      .kernel = kernel,
      .before = zeros[0],
      .after = zeros[1],
      .output = output,
      .window = window,
      .stride = stride,
      .pooled = output,
  };
  if (window && attributes->pool_same) {
    result.pooled = (output + stride - 1) / stride;
    int missing = (result.pooled - 1) * stride + window - output;
    result.outside = missing > 0 ? missing / 2 : 0;
  } else if (window) {
    result.pooled = (output - window) / stride + 1;
  }
  return result;
}

// The tensors of one call of an operation.
typedef struct {
  TF_OpKernelContext *context;
  TF_Status *status;
  TF_Tensor *inputs[5], *outputs[2];
} Call;

static Call begin(TF_OpKernelContext *context) {
  Call call = {.context = context, .status = TF_NewStatus()};
  for (int i = 0; i < TF_NumInputs(context); i++) TF_GetInput(context, i, &call.inputs[i], call.status);
  return call;
}

static void require(Call *call, bool holds, const char *message) {
  if (!holds) TF_SetStatus(call->status, TF_INVALID_ARGUMENT, message);
}

// Return the length of an input along one axis, 0 if it has no such axis.
static int64_t length(const Call *call, int input, int axis) {
  return axis < TF_NumDims(call->inputs[input]) ? TF_Dim(call->inputs[input], axis) : 0;
}

static int64_t count(const Call *call, int input) { return TF_TensorElementCount(call->inputs[input]); }

static void output(Call *call, int index, int rank, const int64_t *shape) {
  if (TF_GetCode(call->status) != TF_OK) return;
  size_t bytes = sizeof(float);
  for (int i = 0; i < rank; i++) bytes *= shape[i];
  call->outputs[index] = TF_AllocateOutput(call->context, index, TF_FLOAT, shape, rank, bytes, call->status);
}

static bool ready(const Call *call) { return TF_GetCode(call->status) == TF_OK; }
static const float *in(const Call *call, int index) { return TF_TensorData(call->inputs[index]); }
static float *out(const Call *call, int index) { return TF_TensorData(call->outputs[index]); }

static void end(Call *call) {
  if (!ready(call)) TF_OpKernelContext_Failure(call->context, call->status);
  for (int i = 0; i < 5; i++)
    if (call->inputs[i]) TF_DeleteTensor(call->inputs[i]);
  for (int i = 0; i < 2; i++)
    if (call->outputs[i]) TF_DeleteTensor(call->outputs[i]);
  TF_DeleteStatus(call->status);
}

// Allocate an output of the same shape as an input.
static void output_like(Call *call, int index, int input) {
  int64_t shape[8];
  int rank = TF_NumDims(call->inputs[input]);
  require(call, rank <= 8, "There are more than eight axes.");
  for (int i = 0; i < rank && i < 8; i++) shape[i] = TF_Dim(call->inputs[input], i);
  output(call, index, rank, shape);
}

// Read the layer from the shapes of the tensors.
static Layer read_layer(const Attributes *attributes, Call *call) {
  require(call, length(call, 0, 3) == length(call, 1, 2),
          "The images and the kernel differ in their channels.");
  return (Layer){
      .images = length(call, 0, 0),
      .channels = length(call, 0, 3),
      .filters = length(call, 1, 3),
      .scale = attributes->scale,
      .relu = attributes->relu,
      .y = compute_axis(attributes, 0, length(call, 0, 1), length(call, 1, 0)),
      .x = compute_axis(attributes, 1, length(call, 0, 2), length(call, 1, 1)),
  };
}

static void forward(void *attributes, TF_OpKernelContext *context) {
  Call call = begin(context);
  Layer layer = read_layer(attributes, &call);
  int64_t shape[] = {layer.images, layer.y.pooled, layer.x.pooled, layer.filters}, none[] = {0};
  bool pools = layer.y.window;
  output(&call, 0, 4, shape);
  output(&call, 1, pools ? 4 : 1, pools ? shape : none);
  if (ready(&call))
    convolution->forward(&layer, in(&call, 0), in(&call, 1), in(&call, 2), out(&call, 0), out(&call, 1));
  end(&call);
}

static void input_gradient(void *attributes, TF_OpKernelContext *context) {
  Call call = begin(context);
  Layer layer = read_layer(attributes, &call);
  output_like(&call, 0, 0);
  if (ready(&call))
    convolution->input_gradient(&layer, in(&call, 1), in(&call, 2), in(&call, 3), in(&call, 4),
                                out(&call, 0));
  end(&call);
}

static void kernel_gradient(void *attributes, TF_OpKernelContext *context) {
  Call call = begin(context);
  Layer layer = read_layer(attributes, &call);
  output_like(&call, 0, 1);
  output(&call, 1, 1, (int64_t[]){layer.filters});
  if (ready(&call))
    convolution->kernel_gradient(&layer, in(&call, 0), in(&call, 2), in(&call, 3), in(&call, 4),
                                 out(&call, 0), out(&call, 1));
  end(&call);
}

typedef struct {
  TF_Bool a, b;
} Transposed;

static void *create_product(TF_OpKernelConstruction *construction) {
  Transposed *transposed = calloc(1, sizeof *transposed);
  TF_Status *status = TF_NewStatus();
  TF_OpKernelConstruction_GetAttrBool(construction, "transpose_a", &transposed->a, status);
  TF_OpKernelConstruction_GetAttrBool(construction, "transpose_b", &transposed->b, status);
  if (TF_GetCode(status) != TF_OK) TF_OpKernelConstruction_Failure(construction, status);
  TF_DeleteStatus(status);
  return transposed;
}

static void product(void *attributes, TF_OpKernelContext *context) {
  const Transposed *transposed = attributes;
  Call call = begin(context);
  int64_t rows = length(&call, 0, transposed->a), inner = length(&call, 0, !transposed->a);
  int64_t columns = length(&call, 1, !transposed->b), start = count(&call, 2);
  require(&call, inner == length(&call, 1, transposed->b), "The matrices do not fit each other.");
  require(&call, start == 0 || start == columns, "The start needs one number for each column of the result.");
  output(&call, 0, 2, (int64_t[]){rows, columns});
  if (ready(&call))
    arithmetic->product(in(&call, 0), in(&call, 1), start ? in(&call, 2) : NULL, out(&call, 0), rows, inner,
                        columns, transposed->a, transposed->b);
  end(&call);
}

static void *create_choice(TF_OpKernelConstruction *construction, int choices) {
  int32_t *choice = calloc(1, sizeof *choice);
  TF_Status *status = TF_NewStatus();
  TF_OpKernelConstruction_GetAttrInt32(construction, "choice", choice, status);
  if (*choice < 0 || *choice >= choices)
    TF_SetStatus(status, TF_INVALID_ARGUMENT, "There is no such choice.");
  if (TF_GetCode(status) != TF_OK) TF_OpKernelConstruction_Failure(construction, status);
  TF_DeleteStatus(status);
  return choice;
}

static void *create_function(TF_OpKernelConstruction *construction) {
  return create_choice(construction, FUNCTIONS);
}

static void function(void *choice, TF_OpKernelContext *context) {
  Call call = begin(context);
  output_like(&call, 0, 0);
  if (ready(&call)) arithmetic->functions[*(int32_t *)choice](in(&call, 0), count(&call, 0), out(&call, 0));
  end(&call);
}

static void *create_loss(TF_OpKernelConstruction *construction) {
  return create_choice(construction, LOSSES);
}

static void loss(void *choice, TF_OpKernelContext *context) {
  Call call = begin(context);
  int64_t images = length(&call, 0, 0), size = images ? count(&call, 0) / images : 0;
  require(&call, count(&call, 0) == count(&call, 1), "The outputs and the targets differ in size.");
  output(&call, 0, 1, &images);
  output_like(&call, 1, 0);
  if (ready(&call))
    arithmetic->losses[*(int32_t *)choice](in(&call, 0), in(&call, 1), images, size, out(&call, 0),
                                           out(&call, 1));
  end(&call);
}

static void *create_nothing(TF_OpKernelConstruction *construction) {
  (void)construction;
  return NULL;
}

static void sum(void *nothing, TF_OpKernelContext *context) {
  (void)nothing;
  Call call = begin(context);
  require(&call, TF_NumDims(call.inputs[0]) == 3, "A sum over the middle axis needs three axes.");
  int64_t outer = length(&call, 0, 0), middle = length(&call, 0, 1), inner = length(&call, 0, 2);
  output(&call, 0, 2, (int64_t[]){outer, inner});
  if (ready(&call)) arithmetic->sum(in(&call, 0), outer, middle, inner, out(&call, 0));
  end(&call);
}

static void unknown_shapes(TF_ShapeInferenceContext *context, TF_Status *status) {
  TF_ShapeInferenceContextSetUnknownShape(context, status);
}

typedef struct {
  const char *name;
  const char *inputs[6], *outputs[3], *attributes[6];  // each ends with NULL
  void *(*create)(TF_OpKernelConstruction *);
  void (*compute)(void *, TF_OpKernelContext *);
} Operation;

static void add(const Operation *operation) {
  TF_OpDefinitionBuilder *builder = TF_NewOpDefinitionBuilder(operation->name);
  for (const char *const *i = operation->inputs; *i; i++) TF_OpDefinitionBuilderAddInput(builder, *i);
  for (const char *const *i = operation->outputs; *i; i++) TF_OpDefinitionBuilderAddOutput(builder, *i);
  for (const char *const *i = operation->attributes; *i; i++) TF_OpDefinitionBuilderAddAttr(builder, *i);
  TF_OpDefinitionBuilderSetShapeInferenceFunction(builder, unknown_shapes);
  TF_Status *status = TF_NewStatus();
  TF_RegisterOpDefinition(builder, status);
  TF_KernelBuilder *kernel =
      TF_NewKernelBuilder(operation->name, "CPU", operation->create, operation->compute, free);
  if (TF_GetCode(status) == TF_OK) TF_RegisterKernelBuilder(operation->name, kernel, status);
  if (TF_GetCode(status) != TF_OK) abort();
  TF_DeleteStatus(status);
}

#define OF_A_LAYER {"scale: int", "padding: list(int)", "relu: bool", "pool: list(int)", "pool_same: bool"}
#define KNOWN {"images: float", "kernel: float", "result: float", "winner: float", "gradient: float"}

static const Operation OPERATIONS[] = {
    {"CaeConvolution",
     {"images: float", "kernel: float", "bias: float"},
     {"result: float", "winner: float"},
     OF_A_LAYER,
     create,
     forward},
    {"CaeConvolutionInputGradient", KNOWN, {"images_gradient: float"}, OF_A_LAYER, create, input_gradient},
    {"CaeConvolutionKernelGradient",
     KNOWN,
     {"kernel_gradient: float", "bias_gradient: float"},
     OF_A_LAYER,
     create,
     kernel_gradient},
    {"CaeProduct",
     {"a: float", "b: float", "start: float"},
     {"result: float"},
     {"transpose_a: bool", "transpose_b: bool"},
     create_product,
     product},
    {"CaeFunction", {"x: float"}, {"y: float"}, {"choice: int"}, create_function, function},
    {"CaeLoss",
     {"outputs: float", "targets: float"},
     {"losses: float", "slopes: float"},
     {"choice: int"},
     create_loss,
     loss},
    {"CaeSum", {"x: float"}, {"y: float"}, {NULL}, create_nothing, sum},
};

static void choose_instructions(void) {
#ifdef __x86_64__
  // For tests and benchmarks, CAE_INSTRUCTIONS names the widest instruction set to use.
  const char *widest = getenv("CAE_INSTRUCTIONS");
  if (!widest) widest = "avx512";
  bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  bool has_avx512 = has_avx2 && __builtin_cpu_supports("avx512f");
  if (has_avx512 && !strcmp(widest, "avx512"))
    convolution = &avx512, arithmetic = &avx512_arithmetic, instructions = "avx512";
  else if (has_avx2 && strcmp(widest, "portable"))
    convolution = &avx2, arithmetic = &avx2_arithmetic, instructions = "avx2";
#endif
}

__attribute__((constructor)) static void add_all(void) {
  choose_instructions();
  for (size_t i = 0; i < sizeof OPERATIONS / sizeof *OPERATIONS; i++) add(&OPERATIONS[i]);
}
