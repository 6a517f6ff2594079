// The convolution as TensorFlow operations, in the widest instruction set that this processor has.
#include <stdlib.h>
#include <string.h>

#include "convolution.h"
#include "tensorflow/c/kernels.h"
// TensorFlow's header leaves out `struct`, as C++ may.
typedef struct TF_OpDefinitionBuilder TF_OpDefinitionBuilder;
typedef struct TF_ShapeInferenceContext TF_ShapeInferenceContext;
typedef struct TF_ShapeHandle TF_ShapeHandle;
typedef struct TF_DimensionHandle TF_DimensionHandle;
#include "tensorflow/c/ops.h"
#include "tensorflow/c/tf_tensor.h"

static const Convolution *convolution = &portable;
static const char *instructions = "portable";

// The name of the instruction set that is used.
__attribute__((visibility("default"))) const char *cae_instructions(void) { return instructions; }

typedef struct {
  int32_t scale;
  int32_t padding[4];  // zeros at the top, bottom, left, right
  int32_t pool[4];     // rows, columns of a window; rows, columns from one to the next; all 0 without pooling
  TF_Bool relu, pool_same;
} Attributes;

static const char *const ATTRIBUTES[] = {"scale: int", "padding: list(int)", "relu: bool", "pool: list(int)",
                                         "pool_same: bool"};

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

static Axis axis_of(const Attributes *attributes, int axis, int size, int kernel) {
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

// A call of one of the operations: its tensors, and the layer that their shapes tell.
typedef struct {
  TF_OpKernelContext *context;
  TF_Status *status;
  TF_Tensor *inputs[5], *outputs[2];
  Layer layer;
} Call;

static Call begin(const Attributes *attributes, TF_OpKernelContext *context) {
  Call call = {.context = context, .status = TF_NewStatus()};
  for (int i = 0; i < TF_NumInputs(context); i++) TF_GetInput(context, i, &call.inputs[i], call.status);
  TF_Tensor *images = call.inputs[0], *kernel = call.inputs[1];
  if (TF_Dim(images, 3) != TF_Dim(kernel, 2))
    TF_SetStatus(call.status, TF_INVALID_ARGUMENT, "The images and the kernel differ in their channels.");
  call.layer = (Layer){
      .images = TF_Dim(images, 0),
      .channels = TF_Dim(images, 3),
      .filters = TF_Dim(kernel, 3),
      .scale = attributes->scale,
      .relu = attributes->relu,
      .y = axis_of(attributes, 0, TF_Dim(images, 1), TF_Dim(kernel, 0)),
      .x = axis_of(attributes, 1, TF_Dim(images, 2), TF_Dim(kernel, 1)),
  };
  return call;
}

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

static void forward(void *attributes, TF_OpKernelContext *context) {
  Call call = begin(attributes, context);
  const Layer *layer = &call.layer;
  int64_t shape[] = {layer->images, layer->y.pooled, layer->x.pooled, layer->filters}, none[] = {0};
  bool pools = layer->y.window;
  output(&call, 0, 4, shape);
  output(&call, 1, pools ? 4 : 1, pools ? shape : none);
  if (ready(&call))
    convolution->forward(layer, in(&call, 0), in(&call, 1), in(&call, 2), out(&call, 0), out(&call, 1));
  end(&call);
}

static void input_gradient(void *attributes, TF_OpKernelContext *context) {
  Call call = begin(attributes, context);
  const Layer *layer = &call.layer;
  output(&call, 0, 4, (int64_t[]){layer->images, layer->y.size, layer->x.size, layer->channels});
  if (ready(&call))
    convolution->input_gradient(layer, in(&call, 1), in(&call, 2), in(&call, 3), in(&call, 4), out(&call, 0));
  end(&call);
}

static void kernel_gradient(void *attributes, TF_OpKernelContext *context) {
  Call call = begin(attributes, context);
  const Layer *layer = &call.layer;
  int64_t shape[] = {layer->y.kernel, layer->x.kernel, layer->channels, layer->filters};
  output(&call, 0, 4, shape);
  output(&call, 1, 1, shape + 3);
  if (ready(&call))
    convolution->kernel_gradient(layer, in(&call, 0), in(&call, 2), in(&call, 3), in(&call, 4), out(&call, 0),
                                 out(&call, 1));
  end(&call);
}

static void unknown_shapes(TF_ShapeInferenceContext *context, TF_Status *status) {
  TF_ShapeInferenceContextSetUnknownShape(context, status);
}

static void add(const char *name, const char *const *inputs, const char *const *outputs,
                void (*compute)(void *, TF_OpKernelContext *)) {
  TF_OpDefinitionBuilder *builder = TF_NewOpDefinitionBuilder(name);
  for (; *inputs; inputs++) TF_OpDefinitionBuilderAddInput(builder, *inputs);
  for (; *outputs; outputs++) TF_OpDefinitionBuilderAddOutput(builder, *outputs);
  for (size_t i = 0; i < sizeof ATTRIBUTES / sizeof *ATTRIBUTES; i++)
    TF_OpDefinitionBuilderAddAttr(builder, ATTRIBUTES[i]);
  TF_OpDefinitionBuilderSetShapeInferenceFunction(builder, unknown_shapes);
  TF_Status *status = TF_NewStatus();
  TF_RegisterOpDefinition(builder, status);
  if (TF_GetCode(status) == TF_OK)
    TF_RegisterKernelBuilder(name, TF_NewKernelBuilder(name, "CPU", create, compute, free), status);
  if (TF_GetCode(status) != TF_OK) abort();
  TF_DeleteStatus(status);
}

__attribute__((constructor)) static void add_all(void) {
#ifdef __x86_64__
  // For tests and benchmarks CAE_INSTRUCTIONS names the widest that may be used.
  const char *widest = getenv("CAE_INSTRUCTIONS");
  if (!widest) widest = "avx512";
  bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (has_avx2 && strcmp(widest, "portable")) convolution = &avx2, instructions = "avx2";
  if (has_avx2 && __builtin_cpu_supports("avx512f") && !strcmp(widest, "avx512"))
    convolution = &avx512, instructions = "avx512";
#endif
  const char *const given[] = {"images: float", "kernel: float", "bias: float", NULL};
  const char *const known[] = {"images: float", "kernel: float",   "result: float",
                               "winner: float", "gradient: float", NULL};
  add("CaeConvolution", given, (const char *const[]){"result: float", "winner: float", NULL}, forward);
  add("CaeConvolutionInputGradient", known, (const char *const[]){"images_gradient: float", NULL},
      input_gradient);
  add("CaeConvolutionKernelGradient", known,
      (const char *const[]){"kernel_gradient: float", "bias_gradient: float", NULL}, kernel_gradient);
}
