#map = affine_map<(d0, d1, d2) -> (d0, d1)>
#map1 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#map2 = affine_map<(d0, d1, d2) -> (d0, d1, 0)>
#map3 = affine_map<(d0, d1, d2) -> (d2)>
#map4 = affine_map<(d0, d1) -> (d0, d1)>
#map5 = affine_map<(d0, d1) -> (d1, d0)>
#map6 = affine_map<(d0) -> (d0)>
#map7 = affine_map<(d0, d1, d2) -> ()>
module attributes {torch.debug_module_name = "Step"} {
  ml_program.global private mutable @global_seed(dense<0> : tensor<i64>) : tensor<i64>
  func.func @main(%arg0: tensor<16x8xf32>, %arg1: tensor<8xf32>, %arg2: tensor<8x8xf32>, %arg3: tensor<1x?xi64>, %arg4: i64, %arg5: tensor<1x2x?x4xf32>) -> (tensor<1x?x8xf32>, tensor<1x2x?x4xf32>) {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %c8 = arith.constant 8 : index
    %c16_i64 = arith.constant 16 : i64
    %c0_i64 = arith.constant 0 : i64
    %cst = arith.constant 0.000000e+00 : f32
    %cst_0 = arith.constant 8.000000e+00 : f32
    %cst_1 = arith.constant 1.000000e-05 : f64
    %cst_2 = arith.constant 0xFF800000 : f32
    %c4_i64 = arith.constant 4 : i64
    %c1_i64 = arith.constant 1 : i64
    %dim = tensor.dim %arg3, %c1 : tensor<1x?xi64>
    %dim_3 = tensor.dim %arg5, %c2 : tensor<1x2x?x4xf32>
    %0 = tensor.empty(%dim) : tensor<1x?x8xf32>
    %1 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%arg3 : tensor<1x?xi64>) outs(%0 : tensor<1x?x8xf32>) {
    ^bb0(%in: i64, %out: f32):
      %40 = arith.index_cast %in : i64 to index
      %41 = linalg.index 2 : index
      %42 = arith.cmpi slt, %in, %c16_i64 : i64
      cf.assert %42, "index must be smaller than dim size"
      %43 = arith.cmpi sge, %in, %c0_i64 : i64
      cf.assert %43, "index must be larger or equal to 0"
      %extracted = tensor.extract %arg0[%40, %41] : tensor<16x8xf32>
      linalg.yield %extracted : f32
    } -> tensor<1x?x8xf32>
    %2 = tensor.empty(%dim) : tensor<1x?x1xf32>
    %3 = linalg.fill ins(%cst : f32) outs(%2 : tensor<1x?x1xf32>) -> tensor<1x?x1xf32>
    %4 = linalg.generic {indexing_maps = [#map1, #map2], iterator_types = ["parallel", "parallel", "reduction"]} ins(%1 : tensor<1x?x8xf32>) outs(%3 : tensor<1x?x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %40 = arith.mulf %in, %in : f32
      %41 = arith.addf %40, %out : f32
      linalg.yield %41 : f32
    } -> tensor<1x?x1xf32>
    %5 = linalg.generic {indexing_maps = [#map1, #map2, #map3, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%1, %4, %arg1 : tensor<1x?x8xf32>, tensor<1x?x1xf32>, tensor<8xf32>) outs(%0 : tensor<1x?x8xf32>) {
    ^bb0(%in: f32, %in_4: f32, %in_5: f32, %out: f32):
      %40 = arith.divf %in_4, %cst_0 : f32
      %41 = arith.truncf %cst_1 : f64 to f32
      %42 = arith.addf %40, %41 : f32
      %43 = math.rsqrt %42 : f32
      %44 = arith.mulf %in, %43 : f32
      %45 = arith.mulf %44, %in_5 : f32
      linalg.yield %45 : f32
    } -> tensor<1x?x8xf32>
    %6 = tensor.empty() : tensor<8x8xf32>
    %7 = linalg.transpose ins(%arg2 : tensor<8x8xf32>) outs(%6 : tensor<8x8xf32>) permutation = [1, 0]
    %collapsed = tensor.collapse_shape %5 [[0, 1], [2]] : tensor<1x?x8xf32> into tensor<?x8xf32>
    %8 = tensor.empty(%dim) : tensor<?x8xf32>
    %9 = linalg.fill ins(%cst : f32) outs(%8 : tensor<?x8xf32>) -> tensor<?x8xf32>
    %10 = linalg.matmul ins(%collapsed, %7 : tensor<?x8xf32>, tensor<8x8xf32>) outs(%9 : tensor<?x8xf32>) -> tensor<?x8xf32>
    %11 = arith.index_cast %dim : index to i64
    %from_elements = tensor.from_elements %c1_i64, %11, %c1_i64, %c4_i64 : tensor<4xi64>
    %12 = arith.muli %11, %c1_i64 : i64
    %extracted_slice = tensor.extract_slice %10[0, 0] [%dim, 8] [1, 1] : tensor<?x8xf32> to tensor<?x8xf32>
    %expanded = tensor.expand_shape %extracted_slice [[0, 1], [2, 3]] output_shape [1, %dim, 2, 4] : tensor<?x8xf32> into tensor<1x?x2x4xf32>
    %13 = tensor.empty(%dim) : tensor<1x2x?x4xf32>
    %14 = linalg.transpose ins(%expanded : tensor<1x?x2x4xf32>) outs(%13 : tensor<1x2x?x4xf32>) permutation = [0, 2, 1, 3]
    %concat = tensor.concat dim(2) %arg5, %14 : (tensor<1x2x?x4xf32>, tensor<1x2x?x4xf32>) -> tensor<1x2x?x4xf32>
    %dim_6 = tensor.dim %concat, %c2 : tensor<1x2x?x4xf32>
    %collapsed_7 = tensor.collapse_shape %concat [[0, 1], [2], [3]] : tensor<1x2x?x4xf32> into tensor<2x?x4xf32>
    %collapsed_8 = tensor.collapse_shape %14 [[0, 1], [2], [3]] : tensor<1x2x?x4xf32> into tensor<2x?x4xf32>
    %15 = tensor.empty(%dim_6) : tensor<2x4x?xf32>
    %16 = linalg.transpose ins(%collapsed_7 : tensor<2x?x4xf32>) outs(%15 : tensor<2x4x?xf32>) permutation = [0, 2, 1]
    %17 = tensor.empty(%dim, %dim_6) : tensor<2x?x?xf32>
    %18 = linalg.fill ins(%cst : f32) outs(%17 : tensor<2x?x?xf32>) -> tensor<2x?x?xf32>
    %19 = linalg.batch_matmul ins(%collapsed_8, %16 : tensor<2x?x4xf32>, tensor<2x4x?xf32>) outs(%18 : tensor<2x?x?xf32>) -> tensor<2x?x?xf32>
    %20 = tensor.empty(%dim) : tensor<2x?x1xf32>
    %21 = linalg.fill ins(%cst_2 : f32) outs(%20 : tensor<2x?x1xf32>) -> tensor<2x?x1xf32>
    %22 = tensor.empty(%dim) : tensor<2x?x1xi64>
    %23 = linalg.fill ins(%c0_i64 : i64) outs(%22 : tensor<2x?x1xi64>) -> tensor<2x?x1xi64>
    %masked = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%19 : tensor<2x?x?xf32>) outs(%17 : tensor<2x?x?xf32>) {
    ^bb0(%in: f32, %out: f32):
      %40 = linalg.index 1 : index
      %41 = arith.index_cast %40 : index to i64
      %42 = arith.addi %41, %arg4 : i64
      %43 = linalg.index 2 : index
      %44 = arith.index_cast %43 : index to i64
      %45 = arith.cmpi sle, %44, %42 : i64
      %46 = arith.select %45, %in, %cst_2 : f32
      linalg.yield %46 : f32
    } -> tensor<2x?x?xf32>
    %24:2 = linalg.generic {indexing_maps = [#map1, #map2, #map2], iterator_types = ["parallel", "parallel", "reduction"]} ins(%masked : tensor<2x?x?xf32>) outs(%21, %23 : tensor<2x?x1xf32>, tensor<2x?x1xi64>) {
    ^bb0(%in: f32, %out: f32, %out_9: i64):
      %40 = linalg.index 2 : index
      %41 = arith.index_cast %40 : index to i64
      %42 = arith.maximumf %in, %out : f32
      %43 = arith.cmpf ogt, %in, %out : f32
      %44 = arith.select %43, %41, %out_9 : i64
      linalg.yield %42, %44 : f32, i64
    } -> (tensor<2x?x1xf32>, tensor<2x?x1xi64>)
    %25 = linalg.generic {indexing_maps = [#map1, #map2, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%masked, %24#0 : tensor<2x?x?xf32>, tensor<2x?x1xf32>) outs(%17 : tensor<2x?x?xf32>) {
    ^bb0(%in: f32, %in_9: f32, %out: f32):
      %40 = arith.subf %in, %in_9 : f32
      %41 = math.exp %40 : f32
      linalg.yield %41 : f32
    } -> tensor<2x?x?xf32>
    %26 = tensor.empty(%dim) : tensor<2x?x4xf32>
    %27 = linalg.fill ins(%cst : f32) outs(%26 : tensor<2x?x4xf32>) -> tensor<2x?x4xf32>
    %28 = linalg.batch_matmul ins(%25, %collapsed_7 : tensor<2x?x?xf32>, tensor<2x?x4xf32>) outs(%27 : tensor<2x?x4xf32>) -> tensor<2x?x4xf32>
    %expanded_9 = tensor.expand_shape %28 [[0, 1], [2], [3]] output_shape [1, 2, %dim, 4] : tensor<2x?x4xf32> into tensor<1x2x?x4xf32>
    %29 = tensor.empty(%dim) : tensor<1x?x2x4xf32>
    %30 = linalg.transpose ins(%expanded_9 : tensor<1x2x?x4xf32>) outs(%29 : tensor<1x?x2x4xf32>) permutation = [0, 2, 1, 3]
    %collapsed_10 = tensor.collapse_shape %30 [[0], [1], [2, 3]] : tensor<1x?x2x4xf32> into tensor<1x?x8xf32>
    return %collapsed_10, %14 : tensor<1x?x8xf32>, tensor<1x2x?x4xf32>
  }
}
