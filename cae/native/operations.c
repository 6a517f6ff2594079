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
  if (TF_GetCode(status) != TF_OK) TF_OpKernelConstruction_Failure(construction, status);
  TF_DeleteStatus(status);
  return attributes;
}

static Axis axis_of(const Attributes *attributes, int axis, int size, int kernel) {
  const int32_t *zeros = attributes->padding + 2 * axis;
  int window = attributes->pool[axis], stride = attributes->pool[2 + axis];
  int output = attributes->scale * size + zeros[0] + zeros[1] - kernel + 1;
  Axis result = {size, kernel, zeros[0], zeros[1], output, window, stride, 0, output};
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

static void *output(Call *call, int index, TF_DataType type, int rank, const int64_t *shape) {
  size_t bytes = TF_DataTypeSize(type);
  for (int i = 0; i < rank; i++) bytes *= shape[i];
  call->outputs[index] = TF_AllocateOutput(call->context, index, type, shape, rank, bytes, call->status);
  return TF_TensorData(call->outputs[index]);
}

static void *input(const Call *call, int index) { return TF_TensorData(call->inputs[index]); }

static void end(Call *call) {
  if (TF_GetCode(call->status) != TF_OK) TF_OpKernelContext_Failure(call->context, call->status);
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
  float *out = output(&call, 0, TF_FLOAT, 4, shape);
  float *winner = output(&call, 1, TF_FLOAT, pools ? 4 : 1, pools ? shape : none);
  convolution->forward(layer, input(&call, 0), input(&call, 1), input(&call, 2), out, winner);
  end(&call);
}

static void input_gradient(void *attributes, TF_OpKernelContext *context) {
  Call call = begin(attributes, context);
  const Layer *layer = &call.layer;
  int64_t shape[] = {layer->images, layer->y.size, layer->x.size, layer->channels};
  float *gradient = output(&call, 0, TF_FLOAT, 4, shape);
  convolution->input_gradient(layer, input(&call, 1), input(&call, 2), input(&call, 3), input(&call, 4), gradient);
  end(&call);
}

static void kernel_gradient(void *attributes, TF_OpKernelContext *context) {
  Call call = begin(attributes, context);
  const Layer *layer = &call.layer;
  int64_t shape[] = {layer->y.kernel, layer->x.kernel, layer->channels, layer->filters};
  float *gradient = output(&call, 0, TF_FLOAT, 4, shape), *bias = output(&call, 1, TF_FLOAT, 1, shape + 3);
  convolution->kernel_gradient(layer, input(&call, 0), input(&call, 2), input(&call, 3), input(&call, 4), gradient, bias);
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
  // For tests and benchmarks: a processor can be told to work with less than it has.
  const char *most = getenv("CAE_INSTRUCTIONS");
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && !(most && !strcmp(most, "portable")))
    convolution = &avx2;
  if (__builtin_cpu_supports("avx512f") && !most) convolution = &avx512;
#endif
  add("CaeConvolution", (const char *const[]){"images: float", "kernel: float", "bias: float", NULL},
      (const char *const[]){"result: float", "winner: float", NULL}, forward);
  const char *const inputs[] = {"images: float", "kernel: float", "result: float", "winner: float",
                                "gradient: float", NULL};
  add("CaeConvolutionInputGradient", inputs, (const char *const[]){"images_gradient: float", NULL}, input_gradient);
  add("CaeConvolutionKernelGradient", inputs,
      (const char *const[]){"kernel_gradient: float", "bias_gradient: float", NULL}, kernel_gradient);
}
