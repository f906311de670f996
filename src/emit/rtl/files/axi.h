// The AXI masters of an accelerator under Verilator; axi_ports.cpp is emitted
// with it.
#ifndef ST_AXI_H
#define ST_AXI_H

class Vaxi_accelerator;

// Where the signals of a master are, little endian.
struct st_axi_master {
  void *arvalid, *arready, *araddr, *arsize;
  void *rvalid, *rdata, *rresp, *rlast;
  void *awvalid, *awready, *awaddr;
  void *wvalid, *wready, *wdata, *wstrb;
  void *bvalid, *bresp;
};

extern const int st_axi_masters;
extern const int st_axi_bytes; // of a beat

void st_axi_connect(Vaxi_accelerator &top, st_axi_master *m);

#endif
