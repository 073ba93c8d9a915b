#pragma clang section bss = "shim_bss" data = "shim_data"
