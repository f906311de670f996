#loc1 = loc("/usr/lib/python3/dist-packages/torch/nn/modules/linear.py":134:0)
#loc2 = loc("model/block.py":12:0)
#loc3 = loc("train.py":7:0)
#map = affine_map<(d0) -> (d0)>
#loc4 = loc(callsite(#loc2 at #loc3))
module {
  func.func @main(%arg0: tensor<4xf32> loc(#loc3)) -> tensor<4xf32> {
    %0 = tensor.empty() : tensor<4xf32> loc(#loc5)
    %1 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%arg0 : tensor<4xf32>) outs(%0 : tensor<4xf32>) {
    ^bb0(%in: f32 loc(#loc5), %out: f32 loc(#loc5)):
      %2 = math.exp %in : f32 loc(#loc5)
      linalg.yield %2 : f32 loc(#loc5)
    } -> tensor<4xf32> loc(#loc5)
    return %1 : tensor<4xf32> loc(#loc3)
  } loc(#loc3)
} loc(#loc3)
#loc5 = loc(callsite(#loc1 at #loc4))
