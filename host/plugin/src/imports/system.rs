//! The system interface: each function with a grant of its own.

use std::io;

use super::errors::{Error, of_io};
use crate::bindings::wit::system::{
    BtrfsDevice, BtrfsVolume, ClockState, EthtoolDriverInfo, EthtoolLinkInfo, Host, InterfaceAddress, KernelNames,
    Link, MachineConstants, Neighbour, Queue, Route, TimeZoneState, WifiInterface, WifiStation,
};
use crate::state::State;
use crate::sys::{calls, route, wifi};

/// The status bit that makes offset and jitter nanoseconds instead of microseconds.
const STA_NANO: i32 = 0x2000;

impl State {
    /// Checks the grant, and asks on a thread where it may block.
    async fn system<T: Send + 'static>(
        &mut self,
        name: &'static str,
        about: &str,
        call: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> wasmtime::Result<Result<T, Error>> {
        if let Err(denied) = self.allow(|g| g.system(name)) {
            return Ok(Err(denied.into()));
        }
        let permit = self.shared.file_threads.clone().acquire_owned().await;
        let done = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            call()
        })
        .await;
        let about = if about.is_empty() {
            name.to_owned()
        } else {
            format!("{name} {}", about.chars().take(100).collect::<String>())
        };
        Ok(match done {
            Ok(answer) => answer.map_err(|e| of_io(about, &e)),
            Err(e) => Err(Error::Other(format!("{about}: {e}"))),
        })
    }
}

/// A UUID as it is written: 8-4-4-4-12 digits.
fn uuid(bytes: [u8; 16]) -> String {
    let mut out = String::with_capacity(36);
    for (i, byte) in bytes.iter().enumerate() {
        if matches!(i, 4 | 6 | 8 | 10) {
            out.push('-');
        }
        out.push_str(&format!("{byte:02x}"));
    }
    out
}

impl Host for State {
    async fn clock_adjustment(&mut self) -> wasmtime::Result<Result<ClockState, Error>> {
        let call = || {
            let (t, synchronized) = calls::adjtimex()?;
            let nano = if t.status & STA_NANO != 0 { 1 } else { 1000 };
            Ok(ClockState {
                offset_ns: t.offset.saturating_mul(nano),
                frequency: t.freq,
                max_error_us: t.maxerror,
                estimated_error_us: t.esterror,
                status: t.status,
                constant: t.constant,
                tick_us: t.tick,
                pps_frequency: t.ppsfreq,
                pps_jitter_ns: t.jitter.saturating_mul(nano),
                pps_shift: t.shift,
                pps_stability: t.stabil,
                pps_jitter_count: t.jitcnt,
                pps_calibration_count: t.calcnt,
                pps_error_count: t.errcnt,
                pps_stability_count: t.stbcnt,
                tai_offset: t.tai,
                synchronized,
            })
        };
        self.system("clock-adjustment", "", call).await
    }

    async fn uname(&mut self) -> wasmtime::Result<Result<KernelNames, Error>> {
        let call = || {
            let names = rustix::system::uname();
            let text = |t: &std::ffi::CStr| t.to_string_lossy().into_owned();
            Ok(KernelNames {
                system: text(names.sysname()),
                release: text(names.release()),
                version: text(names.version()),
                machine: text(names.machine()),
                node: text(names.nodename()),
                domain: text(names.domainname()),
            })
        };
        self.system("uname", "", call).await
    }

    async fn constants(&mut self) -> wasmtime::Result<Result<MachineConstants, Error>> {
        let call = || {
            let [page_size, clock_ticks, processors, processors_online] = calls::constants();
            Ok(MachineConstants { page_size, clock_ticks, processors, processors_online })
        };
        self.system("constants", "", call).await
    }

    async fn time_zone(&mut self) -> wasmtime::Result<Result<TimeZoneState, Error>> {
        let call = || {
            // The zone's offset depends on the moment: summer time.
            let zone = jiff::tz::TimeZone::system();
            let info = zone.to_offset_info(jiff::Timestamp::now());
            Ok(TimeZoneState { name: info.abbreviation().to_owned(), offset_seconds: info.offset().seconds() })
        };
        self.system("time-zone", "", call).await
    }

    async fn network_links(&mut self) -> wasmtime::Result<Result<Vec<Link>, Error>> {
        self.system("network-links", "", route::links).await
    }

    async fn network_addresses(&mut self) -> wasmtime::Result<Result<Vec<InterfaceAddress>, Error>> {
        self.system("network-addresses", "", route::addresses).await
    }

    async fn network_routes(&mut self) -> wasmtime::Result<Result<Vec<Route>, Error>> {
        self.system("network-routes", "", route::routes).await
    }

    async fn network_neighbours(&mut self) -> wasmtime::Result<Result<Vec<Neighbour>, Error>> {
        self.system("network-neighbours", "", route::neighbours).await
    }

    async fn network_queues(&mut self) -> wasmtime::Result<Result<Vec<Queue>, Error>> {
        self.system("network-queues", "", route::queues).await
    }

    async fn ethtool_driver(&mut self, device: String) -> wasmtime::Result<Result<EthtoolDriverInfo, Error>> {
        let name = device.clone();
        let call = move || {
            let [driver, version, firmware_version, bus_info, expansion_rom_version] = calls::ethtool_driver(&name)?;
            Ok(EthtoolDriverInfo { driver, version, firmware_version, bus_info, expansion_rom_version })
        };
        self.system("ethtool-driver", &device, call).await
    }

    async fn ethtool_link(&mut self, device: String) -> wasmtime::Result<Result<EthtoolLinkInfo, Error>> {
        let name = device.clone();
        let call = move || {
            let link = calls::ethtool_link(&name)?;
            let [supported, advertised, partner_advertised] = link.modes;
            Ok(EthtoolLinkInfo {
                speed_mbit: link.speed,
                duplex: link.duplex,
                autonegotiation: link.autonegotiation,
                port: link.port,
                link_detected: link.detected,
                supported,
                advertised,
                partner_advertised,
            })
        };
        self.system("ethtool-link", &device, call).await
    }

    async fn ethtool_stats(&mut self, device: String) -> wasmtime::Result<Result<Vec<(String, u64)>, Error>> {
        let name = device.clone();
        self.system("ethtool-stats", &device, move || calls::ethtool_stats(&name)).await
    }

    async fn wifi_interfaces(&mut self) -> wasmtime::Result<Result<Vec<WifiInterface>, Error>> {
        self.system("wifi-interfaces", "", wifi::interfaces).await
    }

    async fn wifi_stations(&mut self, index: u32) -> wasmtime::Result<Result<Vec<WifiStation>, Error>> {
        self.system("wifi-stations", "", move || wifi::stations(index)).await
    }

    async fn btrfs(&mut self, mount_point: String) -> wasmtime::Result<Result<BtrfsVolume, Error>> {
        let mount = mount_point.clone();
        let call = move || {
            let (id, devices) = calls::btrfs(&mount)?;
            let device = |d: calls::BtrfsDevice| BtrfsDevice {
                id: d.id,
                path: d.path,
                uuid: uuid(d.uuid),
                total_bytes: d.bytes[0],
                used_bytes: d.bytes[1],
                write_errors: d.errors[0],
                read_errors: d.errors[1],
                flush_errors: d.errors[2],
                corruption_errors: d.errors[3],
                generation_errors: d.errors[4],
            };
            Ok(BtrfsVolume { uuid: uuid(id), devices: devices.into_iter().map(device).collect() })
        };
        self.system("btrfs", &mount_point, call).await
    }
}
