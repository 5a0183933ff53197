"""What user space adds of its own before the kernel sees anything: ndctl, daxctl and cxl as clients of the attribute tree."""
