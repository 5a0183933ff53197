"""Public addresses of the cases that the messages and topics quote: what really happened to people."""

from __future__ import annotations

__all__ = ["CASES"]

_LORE = "https://lore.kernel.org/all/"
_GITHUB = "https://github.com/"

CASES: dict[str, str] = {
    "C01": f"two pmem regions in one section, 2018: {_GITHUB}pmem/ndctl/issues/76",
    "C02": f"two small namespaces, 2019: {_LORE}x49imxbx22d.fsf@segfault.boston.devel.redhat.com/",
    "C03": f"64M namespaces on a 1 GiB NVDIMM, 2017: {_GITHUB}pmem/ndctl/issues/28",
    "C05": f"two 100M devdax namespaces, 2019: {_GITHUB}pmem/ndctl/issues/107",
    "C07": f"second namespace on a second NVDIMM, 2018: {_GITHUB}intel/pmem-csi/issues/9",
    "C08": f"1 GiB alignment on Optane and QEMU, 2019: {_GITHUB}intel/pmem-csi/pull/133",
    "C09": (
        "memmap=0xfc000000!8G with an unaligned end, 2016: "
        f"{_LORE}148125125407.13512.1253904589564772668.stgit@dwillia2-desk3.amr.corp.intel.com/"
    ),
    "C10": "the map in the log of Linux kernel commit ba72b4c8cf60 (in v5.3)",
    "C11": f"RAM and pmem in one section, 2021: {_LORE}20210120103007.GH9371@dhcp22.suse.cz/",
    "C14": "an image that is no multiple of 2 MiB, 2026 (sympozium-ai/celln, docs/OCI_TOOL_LANE.md)",
    "C15": f"old 4K-aligned namespaces, 2020: {_LORE}0843d8bf-c9e4-37c9-d9c2-ba4407daae21@linux.ibm.com/",
    "C16": "ppc64 and a misaligned namespace, 2020: the log of Linux kernel commit 6acd7d5ef264",
    "C17": f"64K-aligned namespaces, 2019: {_LORE}f7a1b3f7-bfbb-e13c-7e8b-c76316bae8e4@linux.ibm.com/",
    "C19": f"a size on a 6-way set, 2019: {_GITHUB}pmem/ndctl/issues/125",
    "C22": f"1 GiB alignment costs 1 GiB, 2019: {_GITHUB}pmem/ndctl/issues/79",
    "C23": f"old kernels and 2M alignment, 2017-2024: {_GITHUB}pmem/ndctl/issues/274",
    "C25": f"a label-less 4 GiB region, 2018: {_GITHUB}pmem/ndctl/issues/52",
    "C26": f"126 MiB stranded by kmem, 2020: {_LORE}20200526183941.834174383@linuxfoundation.org/",
    "C28": f"256M devdax as system-ram, 2023: {_GITHUB}pmem/ndctl/issues/243",
    "C30": f"Soft Reserved before the CXL region, 2025: {_LORE}aQAmhrS3Im21m_jw@aschofie-mobl2.lan/",
    "C31": "a CXL device with a hole: https://docs.kernel.org/driver-api/cxl/platform/bios-and-efi.html",
    "C32": f"the CXL low memory hole, 2025: {_LORE}20250314113708.759808-1-fabio.m.de.francesco@linux.intel.com/",
    "C33": f"64G of RAM and a 2G DIMM, 2018: {_LORE}20180215165920.8570-2-pasha.tatashin@oracle.com/",
    "C35": f"1 GiB blocks on arm64, 2021: {_GITHUB}kata-containers/kata-containers/issues/1841",
    "C37": f"an image before a DIMM, 2021: {_GITHUB}kata-containers/kata-containers/issues/1769",
    "C39": f"16 MiB of a 64 MiB block, 2018: {_LORE}605b4df2-4cf1-2dda-3661-68b78845f8ec@gmail.com/",
    "C41": f"pmem near 64 TiB, 2026: {_GITHUB}cloud-hypervisor/cloud-hypervisor/issues/8191",
    "C42": f"4K of pmem at the top, 2019: {_GITHUB}cloud-hypervisor/cloud-hypervisor/pull/113",
    "C44": f"a 5-page range, 2023: {_LORE}20230510090758.3537242-1-rick.wertenbroek@gmail.com/",
    "C45": "an NVMe buffer mapped twice, 2019: Linux kernel commit 9fe5c59ff6a1",
    "C47": f"Optane without a target node, 2024: {_GITHUB}pmem/ndctl/issues/260",
    "C48": "a TDX host refuses kmem, 2022: the documentation of the TDX host series",
    "C49": "a device-tree pmem range left in the EFI map, 2025: U-Boot EFI documentation",
    "N01": f"memmap=4G!4G around the kernel, 2019: {_LORE}0FB85A78-C2EE-4135-9E0F-D5623CE6EA47@lca.pw/",
    "N02": f"memmap=4G!3G over the PCI hole, 2016: {_GITHUB}pmem/pmem.github.io/pull/30",
    "N03": f"fsdax and devdax in one region, 2022: {_GITHUB}pmem/ndctl/issues/214",
    "N04": f"two namespaces of 16M, 2019: {_GITHUB}pmem/ndctl/issues/91",
    "N05": f"32 GiB of a label-less 64 GiB, 2020: {_GITHUB}pmem/ndctl/issues/150",
    "N06": (
        "a region below its own align, 2022: "
        f"{_LORE}164688416128.2879318.17890707310125575258.stgit@dwillia2-desk3.amr.corp.intel.com/"
    ),
    "M01": f"a CXL window 1.25 GiB past a memory block, 2025: {_LORE}20250715180407.47426-1-Smita.KoralahalliChannabasappa@amd.com/",
    "M02": f"an NVDIMM of 48 KiB before a DIMM, 2018: {_GITHUB}intel/nemu/issues/48",
    "M03": f"an image of 512 MiB before a DIMM on arm64, 2022: {_GITHUB}kata-containers/kata-containers/issues/3426",
    "M04": f"2.37 GiB of six DIMMs that are RAM, 2020: {_GITHUB}pmem/ndctl/issues/139",
    "M05": f"504 of 512 memory blocks online, 2023: {_GITHUB}pmem/ndctl/issues/256",
    "M06": f"8 GiB of CXL memory that do not come back, 2023: {_GITHUB}pmem/ndctl/issues/246",
    "M07": f"a virtio-mem region off a memory block, 2020: {_GITHUB}cloud-hypervisor/cloud-hypervisor/issues/1686",
}
