"""Texts of compiled programs, shortened from the output of the TPU compiler of libtpu 0.0.42 for a v5e:2x2."""

# Two layers of y = x w in a scan: a loop whose trip count is only in its condition. One fusion reads a slice of the
# stacked weights, another writes a part of the stacked results; `S(1)` is memory on the chip.
SCAN = """\
HloModule jit_step, is_scheduled=true, num_partitions=4

%fused_product (p.0: bf16[16,512,128], p.1: bf16[2,128,384], p.2: s32[]) -> bf16[16,512,384] {
  %p.0 = bf16[16,512,128]{2,1,0:T(8,128)(2,1)S(1)} parameter(0)
  %p.1 = bf16[2,128,384]{2,1,0:T(8,128)(2,1)} parameter(1)
  %p.2 = s32[]{:T(128)S(6)} parameter(2)
  %zero = s32[]{:T(128)} constant(0)
  %slice = bf16[1,128,384]{2,1,0:T(8,128)(2,1)} dynamic-slice(%p.1, %p.2, %zero, %zero), dynamic_slice_sizes={1,128,384}
  %weights = bf16[128,384]{1,0:T(8,128)(2,1)} bitcast(%slice)
  ROOT %product = bf16[16,512,384]{2,1,0:T(8,128)(2,1)} convolution(%p.0, %weights), dim_labels=0bf_io->0bf
}

%fused_update (p.3: f32[2,16,512], p.4: s32[], p.5: bf16[16,512,384]) -> (f32[2,16,512], bf16[16,512]) {
  %p.3 = f32[2,16,512]{2,1,0:T(8,128)} parameter(0)
  %p.4 = s32[]{:T(128)S(6)} parameter(1)
  %p.5 = bf16[16,512,384]{2,1,0:T(8,128)(2,1)} parameter(2)
  %zero.1 = s32[]{:T(128)} constant(0)
  %means = f32[16,512]{1,0:T(8,128)} reduce(%p.5, %zero.1), dimensions={2}, to_apply=%sum
  %row = f32[1,16,512]{2,1,0:T(8,128)} bitcast(%means)
  %updated = f32[2,16,512]{2,1,0:T(8,128)} dynamic-update-slice(%p.3, %row, %p.4, %zero.1, %zero.1)
  %rounded = bf16[16,512]{1,0:T(8,128)(2,1)} convert(%means)
  ROOT %both = (f32[2,16,512]{2,1,0:T(8,128)}, bf16[16,512]{1,0:T(8,128)(2,1)S(1)}) tuple(%updated, %rounded)
}

%sum (a: f32[], b: f32[]) -> f32[] {
  %a = f32[]{:T(128)} parameter(0)
  %b = f32[]{:T(128)} parameter(1)
  ROOT %add = f32[]{:T(128)} add(%a, %b)
}

%body (c: (s32[], bf16[16,512,128], bf16[2,128,384], f32[2,16,512])) -> (s32[], bf16[16,512,128], bf16[2,128,384], /*index=3*/f32[2,16,512]) {
  %c = (s32[]{:T(128)}, bf16[16,512,128]{2,1,0:T(8,128)(2,1)S(1)}, bf16[2,128,384]{2,1,0:T(8,128)(2,1)}, /*index=3*/f32[2,16,512]{2,1,0:T(8,128)}) parameter(0)
  %i = s32[]{:T(128)} get-tuple-element(%c), index=0
  %x = bf16[16,512,128]{2,1,0:T(8,128)(2,1)S(1)} get-tuple-element(%c), index=1
  %w = bf16[2,128,384]{2,1,0:T(8,128)(2,1)} get-tuple-element(%c), index=2
  %sums = f32[2,16,512]{2,1,0:T(8,128)} get-tuple-element(%c), index=3
  %one = s32[]{:T(128)} constant(1)
  %fusion.1 = bf16[16,512,384]{2,1,0:T(8,128)(2,1)} fusion(%x, %w, %i), kind=kOutput, calls=%fused_product, metadata={op_name="jit(step)/transpose(jvp(Model))/encoder/while/body/closed_call/layers/mlp/wi/dot_general"}, backend_config={"window_config":{"kernel_window_bounds":["16"],"estimated_cycles":"15065","iteration_bounds":["1"]},"retry_config":{"retry_count":"0"}}
  %fusion.2 = (f32[2,16,512]{2,1,0:T(8,128)}, bf16[16,512]{1,0:T(8,128)(2,1)S(1)}) fusion(%sums, %i, %fusion.1), kind=kLoop, calls=%fused_update, backend_config={"window_config":{"estimated_cycles":"1000"}}
  %next = s32[]{:T(128)} add(%i, %one)
  %new = f32[2,16,512]{2,1,0:T(8,128)} get-tuple-element(%fusion.2), index=0
  ROOT %out = (s32[]{:T(128)}, bf16[16,512,128]{2,1,0:T(8,128)(2,1)S(1)}, bf16[2,128,384]{2,1,0:T(8,128)(2,1)}, /*index=3*/f32[2,16,512]{2,1,0:T(8,128)}) tuple(%next, %x, %w, %new)
}

%condition (d: (s32[], bf16[16,512,128], bf16[2,128,384], f32[2,16,512])) -> pred[] {
  %turns = s32[]{:T(128)} constant(2)
  %d = (s32[]{:T(128)}, bf16[16,512,128]{2,1,0:T(8,128)(2,1)S(1)}, bf16[2,128,384]{2,1,0:T(8,128)(2,1)}, /*index=3*/f32[2,16,512]{2,1,0:T(8,128)}) parameter(0)
  %j = s32[]{:T(128)} get-tuple-element(%d), index=0
  ROOT %lt = pred[]{:T(512)} compare(%j, %turns), direction=LT, metadata={op_name="jit(step)/while/cond/lt"}
}

ENTRY %main (x.0: bf16[16,512,128], w.0: bf16[2,128,384], s.0: f32[2,16,512]) -> f32[2,16,512] {
  %x.0 = bf16[16,512,128]{2,1,0:T(8,128)(2,1)} parameter(0), sharding={devices=[4,1,1]<=[4]}
  %w.0 = bf16[2,128,384]{2,1,0:T(8,128)(2,1)} parameter(1), sharding={replicated}
  %s.0 = f32[2,16,512]{2,1,0:T(8,128)} parameter(2), sharding={replicated}
  %start = s32[]{:T(128)} constant(0)
  %copy-start = (bf16[16,512,128]{2,1,0:T(8,128)(2,1)S(1)}, bf16[16,512,128]{2,1,0:T(8,128)(2,1)}, u32[]{:S(2)}) copy-start(%x.0)
  %copy-done = bf16[16,512,128]{2,1,0:T(8,128)(2,1)S(1)} copy-done(%copy-start)
  %state = (s32[]{:T(128)}, bf16[16,512,128]{2,1,0:T(8,128)(2,1)S(1)}, bf16[2,128,384]{2,1,0:T(8,128)(2,1)}, /*index=3*/f32[2,16,512]{2,1,0:T(8,128)}) tuple(%start, %copy-done, %w.0, %s.0)
  %while = (s32[]{:T(128)}, bf16[16,512,128]{2,1,0:T(8,128)(2,1)S(1)}, bf16[2,128,384]{2,1,0:T(8,128)(2,1)}, /*index=3*/f32[2,16,512]{2,1,0:T(8,128)}) while(%state), condition=%condition, body=%body, metadata={op_name="jit(step)/while"}
  ROOT %result = f32[2,16,512]{2,1,0:T(8,128)} get-tuple-element(%while), index=3
}
"""  # noqa: E501

# An all-gather that starts in one fusion, overlaps a product in another and ends in a third; a reduce-scatter in the
# notation of this compiler; and a synchronous all-reduce.
ASYNC = """\
HloModule jit_step, is_scheduled=true, num_partitions=4

%begin (q.0: bf16[256,4096]) -> (bf16[256,4096], bf16[1024,4096], u32[]) {
  %q.0 = bf16[256,4096]{1,0:T(8,128)(2,1)} parameter(0)
  %gather.0 = bf16[1024,4096]{1,0:T(8,128)(2,1)} all-gather(%q.0), channel_id=138, replica_groups=mesh['axis_0'=4,'axis_1'=1] {'axis_0'}, dimensions={0}
  ROOT %mark.0 = (bf16[256,4096]{1,0:T(8,128)(2,1)}, bf16[1024,4096]{1,0:T(8,128)(2,1)}, u32[]{:S(2)}) custom-call(%gather.0), custom_call_target="AsyncCollectiveStart"
}

%beside (q.1: bf16[256,4096], q.2: bf16[1024,4096], q.3: bf16[512,512]) -> (bf16[512,512], bf16[1024,4096]) {
  %q.1 = bf16[256,4096]{1,0:T(8,128)(2,1)} parameter(0)
  %q.2 = bf16[1024,4096]{1,0:T(8,128)(2,1)} parameter(1)
  %q.3 = bf16[512,512]{1,0:T(8,128)(2,1)} parameter(2)
  %gather.1 = bf16[1024,4096]{1,0:T(8,128)(2,1)} all-gather(%q.1), channel_id=138, replica_groups=mesh['axis_0'=4,'axis_1'=1] {'axis_0'}, dimensions={0}
  %square = bf16[512,512]{1,0:T(8,128)(2,1)} convolution(%q.3, %q.3), dim_labels=bf_io->bf
  ROOT %both = (bf16[512,512]{1,0:T(8,128)(2,1)}, bf16[1024,4096]{1,0:T(8,128)(2,1)}) tuple(%square, %gather.1)
}

%end (q.4: bf16[256,4096], q.5: bf16[1024,4096]) -> bf16[1024,4096] {
  %q.4 = bf16[256,4096]{1,0:T(8,128)(2,1)} parameter(0)
  %q.5 = bf16[1024,4096]{1,0:T(8,128)(2,1)} parameter(1)
  %gather.2 = bf16[1024,4096]{1,0:T(8,128)(2,1)} all-gather(%q.4), channel_id=138, replica_groups=mesh['axis_0'=4,'axis_1'=1] {'axis_0'}, dimensions={0}
  ROOT %mark.1 = bf16[1024,4096]{1,0:T(8,128)(2,1)} custom-call(%q.4, %q.5, %gather.2), custom_call_target="AsyncCollectiveDone"
}

%all-reduce-scatter (q.6: f32[1024,1024]) -> f32[256,1024] {
  %q.6 = f32[1024,1024]{1,0:T(8,128)} parameter(0)
  %reduce.1 = f32[1024,1024]{1,0:T(8,128)} all-reduce(%q.6), channel_id=7, replica_groups=[1,4]<=[4], to_apply=%sum
  %id = u32[]{:T(128)} partition-id()
  ROOT %own = f32[256,1024]{1,0:T(8,128)} dynamic-slice(%reduce.1, %id, %id), dynamic_slice_sizes={256,1024}
}

%sum (a: f32[], b: f32[]) -> f32[] {
  %a = f32[]{:T(128)} parameter(0)
  %b = f32[]{:T(128)} parameter(1)
  ROOT %add = f32[]{:T(128)} add(%a, %b)
}

ENTRY %main (m: bf16[256,4096], n: bf16[512,512], g: f32[1024,1024]) -> f32[256,1024] {
  %m = bf16[256,4096]{1,0:T(8,128)(2,1)} parameter(0)
  %n = bf16[512,512]{1,0:T(8,128)(2,1)S(1)} parameter(1)
  %g = f32[1024,1024]{1,0:T(8,128)} parameter(2)
  %async-collective-start = (bf16[256,4096]{1,0:T(8,128)(2,1)}, bf16[1024,4096]{1,0:T(8,128)(2,1)}, u32[]{:S(2)}) fusion(%m), kind=kCustom, calls=%begin, backend_config={"flag_configs":[]}
  %source = bf16[256,4096]{1,0:T(8,128)(2,1)} get-tuple-element(%async-collective-start), index=0
  %target = bf16[1024,4096]{1,0:T(8,128)(2,1)} get-tuple-element(%async-collective-start), index=1
  %fusion = (bf16[512,512]{1,0:T(8,128)(2,1)S(1)}, bf16[1024,4096]{1,0:T(8,128)(2,1)}) fusion(%source, %target, %n), kind=kOutput, calls=%beside, backend_config={"window_config":{"estimated_cycles":"15030"}}
  %carried = bf16[1024,4096]{1,0:T(8,128)(2,1)} get-tuple-element(%fusion), index=1
  %async-collective-done = bf16[1024,4096]{1,0:T(8,128)(2,1)} fusion(%source, %carried), kind=kCustom, calls=%end
  %reduce.0 = (f32[512,512]{1,0:T(8,128)}, f32[]{:T(128)}) all-reduce(%n, %g), channel_id=9, replica_groups={{0,1},{2,3}}, to_apply=%sum
  ROOT %scattered = f32[256,1024]{1,0:T(8,128)} fusion(%g), kind=kCustom, calls=%all-reduce-scatter
}
"""  # noqa: E501
