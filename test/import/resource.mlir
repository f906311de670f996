module {
  func.func @main() -> (tensor<2x2xf32>, tensor<2xi1>) {
    %0 = arith.constant dense_resource<torch_tensor_2_2_torch.float32> : tensor<2x2xf32>
    %1 = arith.constant dense_resource<mask> : tensor<2xi1>
    return %0, %1 : tensor<2x2xf32>, tensor<2xi1>
  }
}

{-#
  dialect_resources: {
    builtin: {
      torch_tensor_2_2_torch.float32: "0x040000000000803F000000400000404000008040",
      mask: "0x010000000100"
    }
  }
#-}
