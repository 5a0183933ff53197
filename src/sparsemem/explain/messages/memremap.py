"""Messages of mm/memremap.c (kernel/memremap.c up to 5.2): device memory gets its pages."""

from __future__ import annotations

from sparsemem.explain.messages._steps import DMESG, DOCTOR, IOMEM, LIST, SUBSECTION_KERNEL
from sparsemem.explain.records import Message, Step, Wording

__all__ = ["MESSAGES"]

_FILE = "mm/memremap.c"
_DRIVER = Step("This is a fault of the driver that asks: report it there with the trace.", ("dmesg",))


def _driver_fault(id_: str, title: str, what: str, *wordings: Wording) -> Message:
    rule = {"nr-range": "nr-range", "folio-size": "folio-size", "teardown": "pgmap-teardown"}.get(id_, "pgmap-type")
    return Message(
        id=f"pgmap-{id_}",
        title=title,
        file=_FILE,
        function="memremap_pages",
        errno="EINVAL",
        rule=rule,
        wordings=wordings,
        what=what,
        steps=(_DRIVER,),
    )


MESSAGES: tuple[Message, ...] = (
    Message(
        id="mixed-region",
        title="device memory beside System RAM",
        file=_FILE,
        function="devm_memremap_pages",
        errno="ENXIO",
        rule="mixed-region",
        core="attempted on mixed region",
        wordings=(
            Wording("attempted on mixed region %#llx-%#llx", "5.10", fields=("start", "last")),
            Wording("%s attempted on mixed region %pr", None, "5.9", fields=("caller", "range")),
        ),
        units=("section", "subsection"),
        what=(
            "A driver wanted pages for device memory, and System RAM lies in the same range or, up to kernel 5.2, in "
            "the same 128 MiB section as its first or last page. "
            "The kernel refused; a pmem device then does not appear."
        ),
        steps=(
            IOMEM,
            SUBSECTION_KERNEL,
            Step(
                "Or move the border between RAM and the device to a section boundary: "
                "choose memmap=, or the layout in firmware, so that it is a multiple of 128 MiB."
            ),
            DOCTOR,
        ),
        cases=("C09", "C10"),
        see=("ram-beside-device", "section"),
    ),
    Message(
        id="ram-region",
        title="device memory that is System RAM",
        file=_FILE,
        function="devm_memremap_pages",
        errno="ENXIO",
        rule="ram-region",
        core="attempted on ram region",
        wordings=(
            Wording("attempted on ram region %#llx-%#llx", "5.10", fields=("start", "last")),
            Wording("%s attempted on ram region %pr", "5.0", "5.9", fields=("caller", "range")),
        ),
        units=("section", "subsection"),
        what="The whole range that a driver wants as device memory is System RAM already.",
        steps=(IOMEM,),
        see=("ram-beside-device",),
    ),
    Message(
        id="conflicting-mapping",
        title="two device maps in one place",
        file=_FILE,
        function="devm_memremap_pages",
        errno="ENOMEM",
        rule="conflicting-mapping",
        wordings=(Wording("Conflicting mapping in same section"),),
        what=(
            "The first or last page that a driver wants to map belongs to another live device map. Up to kernel 5.2 the"
            " range is widened to whole 128 MiB sections first, so a neighbour in the same section is enough: two"
            " namespaces or two regions that meet inside a section. From 5.3 it means a real overlap; the words still"
            ' say "section". A driver that maps its memory twice, such as NVMe with a controller memory buffer at reset'
            " before 5.1, prints it too."
        ),
        steps=(
            LIST,
            SUBSECTION_KERNEL,
            Step(
                "On the old kernel, keep namespaces apart by whole sections.",
                ("ndctl", "create-namespace", "-r", "<region>", "-m", "fsdax", "--align=1G"),
            ),
            Step("Or use a mode that needs no pages.", ("ndctl", "create-namespace", "-r", "<region>", "-m", "raw")),
        ),
        cases=("C01", "C45"),
        see=("devices-share-section",),
    ),
    Message(
        id="altmap-multiple-ranges",
        title="a page array in the device needs one range",
        file=_FILE,
        function="pagemap_range",
        errno="EINVAL",
        rule="altmap-multiple-ranges",
        wordings=(Wording("altmap not supported for multiple ranges", "5.10"),),
        what="A driver asked for a map of several ranges with the page array inside the device.",
        steps=(_DRIVER,),
    ),
    Message(
        id="altmap-not-freed",
        title="the page array in the device was not given back",
        file=_FILE,
        function="memunmap_pages",
        rule="altmap-leak",
        wordings=(Wording("failed to free all reserved pages"),),
        what=(
            "A device map was torn down and some pages of its reserved area are still counted as used: two maps "
            "shared a page array (possible up to 5.2), or a fault of the kernel."
        ),
        steps=(DMESG, LIST),
        see=("devices-share-section",),
    ),
    _driver_fault(
        "nr-range",
        "a device map without ranges",
        "The driver passed an empty map.",
        Wording("nr_range must be specified", "5.10"),
    ),
    _driver_fault(
        "folio-size",
        "folios larger than supported",
        "The driver asked for folios larger than this kernel supports.",
        Wording("requested folio size unsupported", "7.2", note="read in 7.2"),
    ),
    _driver_fault(
        "private",
        "device private memory is not built in",
        "The kernel was built without CONFIG_DEVICE_PRIVATE.",
        Wording("Device private memory not supported"),
    ),
    _driver_fault(
        "methods",
        "a device map without its methods",
        "A map of private or coherent memory lacks a method or an owner.",
        Wording("Missing migrate_to_ram method", "5.3"),
        Wording("Missing page_free method", "5.3", "7.1", note="last release not verified; read in 6.12"),
        Wording("Missing folio_free method", "7.2", note="read in 7.2"),
        Wording("Missing owner", "5.7"),
    ),
    _driver_fault(
        "fsdax",
        "fsdax is not built in",
        "This kernel has no support for fsdax with pages.",
        Wording("File system DAX not supported", None, "7.1", note="last release not verified; read in 6.12"),
    ),
    _driver_fault(
        "type",
        "a device map of unknown type",
        "The kernel warns and goes on.",
        Wording("Invalid pgmap type %d", "5.3", fields=("type",)),
    ),
    _driver_fault(
        "teardown",
        "a device map without a teardown",
        "The driver brought a reference count without the functions that end it.",
        Wording("Missing reference count teardown definition", "5.3", "5.16"),
    ),
    Message(
        id="zone-device-initialised",
        title="the pages of a device are ready",
        file="mm/mm_init.c",
        function="memmap_init_zone_device",
        wordings=(Wording("%s initialised %lu pages in %ums", "5.0", fields=("caller", "nr_initialised", "ms")),),
        hint="memmap_init_zone_device",
        what=(
            "Not an error: {nr_initialised} device pages were set up. With the page array in the device, the pages of "
            "the reserved area are not counted."
        ),
    ),
)
