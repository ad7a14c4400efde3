//! Full chunks of the head on disk, `chunks_head/NNNNNN`: what keeps three hours of samples from taking three hours' memory.
//!
//! The log has the same samples, so nothing here needs to be synced; what can't be read is replayed from there.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, RwLock};

use watchglass_model::TimeMs;

use super::series::{ChunkData, FullChunk};
use crate::codec::bytes::{DecodeError, Reader, crc, put_uvarint};
use crate::codec::chunk::Encoding;
use crate::mmap::{GrowingMap, Mapped};
use crate::{StoreError, files};

const HEADER: [u8; 8] = [0x01, 0x30, 0xBC, 0x91, 1, 0, 0, 0];
/// Size at which the next file is begun. Prometheus allows 128 MiB; small files are finished, and so mapped, sooner.
const FILE_BYTES: usize = 16 << 20;
/// How much of the growing file is mapped: beyond its size, as the last chunk may end behind it.
const MAPPED_BYTES: usize = 4 * FILE_BYTES;
/// Bytes before the length: reference, first time, last time, encoding.
const FIXED: usize = 8 + 8 + 8 + 1;

/// Where a chunk lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DiskRef {
    file: u32,
    offset: u32,
}

#[derive(Debug)]
enum Body {
    /// Still written to.
    Growing(GrowingMap),
    /// Never written to again.
    Finished(Mapped),
}

#[derive(Debug)]
struct HeadFile {
    body: Body,
    /// The newest sample's time.
    max: TimeMs,
}

/// The folder of full chunks.
#[derive(Debug)]
pub(crate) struct HeadChunks {
    dir: PathBuf,
    files: RwLock<BTreeMap<u32, HeadFile>>,
    growing: Mutex<Growing>,
}

#[derive(Debug, Default)]
struct Growing {
    file: Option<(u32, File)>,
    length: usize,
    max: Option<TimeMs>,
}

/// What was found at start.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    /// Chunks by their series' reference, by time.
    pub(crate) chunks: HashMap<u64, Vec<FullChunk>>,
    /// What was wrong where, and what was done.
    pub(crate) repairs: Vec<String>,
    /// Damage that is no torn end.
    pub(crate) corruptions: u64,
}

struct Entry<'a> {
    reference: u64,
    min: TimeMs,
    max: TimeMs,
    encoding: u8,
    data: &'a [u8],
}

fn entry<'a>(from: &mut Reader<'a>) -> Result<Entry<'a>, DecodeError> {
    let mut ahead = *from;
    let (reference, min, max) = (ahead.u64()?, ahead.u64()? as i64, ahead.u64()? as i64);
    let encoding = ahead.u8()?;
    let length = ahead.count(1)?;
    let data = ahead.bytes(length)?;
    let body = from.bytes(from.len() - ahead.len())?;
    if crc(body) != from.u32()? {
        return Err(DecodeError::Invalid("a head chunk whose checksum differs"));
    }
    Ok(Entry { reference, min, max, encoding, data })
}

impl HeadChunks {
    /// Opens the folder and reads through its files. Behind damage nothing is taken, so that no series has a hole.
    pub(crate) fn open(data_dir: &Path) -> Result<(HeadChunks, Loaded), StoreError> {
        let dir = data_dir.join("chunks_head");
        files::create_dir(&dir)?;
        let mut indexes = Vec::new();
        for item in fs::read_dir(&dir).map_err(StoreError::io("list", &dir))? {
            let item = item.map_err(StoreError::io("list", &dir))?;
            let name = item.file_name();
            indexes.extend(name.to_str().filter(|n| n.len() >= 6).and_then(|n| n.parse::<u32>().ok()));
        }
        indexes.sort_unstable();
        let (mut loaded, mut open, mut broken) = (Loaded::default(), BTreeMap::new(), false);
        for (i, &index) in indexes.iter().enumerate() {
            let path = path(&dir, index);
            if broken {
                files::set_aside(data_dir, &path, "chunks_head")?;
                fs::remove_file(&path).map_err(StoreError::io("remove", &path))?;
                continue;
            }
            let map = Mapped::open(&path)?;
            let (good, max, reason) = scan(&map, index, &mut loaded.chunks);
            if let Some(reason) = reason {
                let last = i + 1 == indexes.len();
                drop(map);
                repair(data_dir, &path, good, &reason, last, &mut loaded)?;
                broken = true;
                if good <= HEADER.len() {
                    continue;
                }
            }
            open.insert(index, HeadFile { body: Body::Finished(Mapped::open(&path)?), max });
        }
        let chunks = HeadChunks { dir, files: RwLock::new(open), growing: Mutex::default() };
        Ok((chunks, loaded))
    }

    /// Hands a chunk's data to `f`.
    pub(crate) fn read<T>(&self, at: DiskRef, f: impl FnOnce(&[u8]) -> T) -> Result<T, DecodeError> {
        let files = self.files.read().unwrap_or_else(PoisonError::into_inner);
        let file = files.get(&at.file).ok_or(DecodeError::Invalid("a head chunk whose file is gone"))?;
        let bytes = match &file.body {
            Body::Finished(map) => map.get(at.offset as usize..),
            Body::Growing(map) => map.get(at.offset as usize),
        };
        entry(&mut Reader::new(bytes.ok_or(DecodeError::Short)?)).map(|e| f(e.data))
    }

    /// Writes chunks (reference, first and last time, encoding, data) and gives their places. They can be read when it returns.
    pub(crate) fn write(
        &self,
        chunks: &[(u64, TimeMs, TimeMs, Encoding, Vec<u8>)],
    ) -> Result<Vec<DiskRef>, StoreError> {
        let mut growing = self.growing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut places = Vec::with_capacity(chunks.len());
        let mut buffer = Vec::new();
        for (reference, min, max, encoding, data) in chunks {
            if growing.length + buffer.len() + data.len() + 64 > FILE_BYTES {
                self.put(&mut growing, &mut buffer)?;
                self.finish(&mut growing)?;
            }
            if growing.file.is_none() {
                self.begin(&mut growing)?;
            }
            let Some((file, _)) = &growing.file else { return Err(StoreError::Closed) };
            let offset = growing.length + buffer.len();
            places.push(DiskRef { file: *file, offset: offset as u32 });
            let start = buffer.len();
            buffer.extend_from_slice(&reference.to_be_bytes());
            buffer.extend_from_slice(&min.to_be_bytes());
            buffer.extend_from_slice(&max.to_be_bytes());
            buffer.push(encoding.0);
            put_uvarint(&mut buffer, data.len() as u64);
            buffer.extend_from_slice(data);
            let sum = crc(&buffer[start..]);
            buffer.extend_from_slice(&sum.to_be_bytes());
            growing.max = growing.max.max(Some(*max));
        }
        self.put(&mut growing, &mut buffer)?;
        Ok(places)
    }

    fn begin(&self, growing: &mut Growing) -> Result<(), StoreError> {
        let mut files = self.files.write().unwrap_or_else(PoisonError::into_inner);
        let index = files.last_key_value().map_or(1, |(last, _)| last + 1);
        let path = path(&self.dir, index);
        let open = || OpenOptions::new().create(true).append(true).read(true).open(&path);
        let mut file = open().map_err(StoreError::io("create", &path))?;
        // What an earlier attempt may have left is nobody's.
        file.set_len(0).and_then(|()| file.write_all(&HEADER)).map_err(StoreError::io("write to", &path))?;
        let map = GrowingMap::open(&file, MAPPED_BYTES, HEADER.len()).map_err(StoreError::io("map", &path))?;
        files.insert(index, HeadFile { body: Body::Growing(map), max: TimeMs::MAX });
        *growing = Growing { file: Some((index, file)), length: HEADER.len(), max: None };
        Ok(())
    }

    fn put(&self, growing: &mut Growing, buffer: &mut Vec<u8>) -> Result<(), StoreError> {
        let Some((index, file)) = &mut growing.file else { return Ok(()) };
        if let Err(e) = file.write_all(buffer) {
            // Half a chunk must not lie before the next one.
            let _ = file.set_len(growing.length as u64);
            return Err(StoreError::io("write to", &path(&self.dir, *index))(e));
        }
        growing.length += buffer.len();
        buffer.clear();
        let files = self.files.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(HeadFile { body: Body::Growing(map), .. }) = files.get(index) {
            map.grown_to(growing.length);
        }
        drop(files);
        // A chunk that makes the file too long ends it: what is finished is mapped whole.
        if growing.length > FILE_BYTES { self.finish(growing) } else { Ok(()) }
    }

    /// Ends the growing file: from now on it is mapped.
    fn finish(&self, growing: &mut Growing) -> Result<(), StoreError> {
        let Some((index, file)) = growing.file.take() else { return Ok(()) };
        drop(file);
        let map = Mapped::open(&path(&self.dir, index))?;
        let max = growing.max.unwrap_or(TimeMs::MIN);
        let mut files = self.files.write().unwrap_or_else(PoisonError::into_inner);
        files.insert(index, HeadFile { body: Body::Finished(map), max });
        Ok(())
    }

    /// Deletes the oldest files whose chunks all end before a time. In order: the format allows no gap in the numbers.
    pub(crate) fn truncate(&self, before: TimeMs) -> Result<(), StoreError> {
        let mut growing = self.growing.lock().unwrap_or_else(PoisonError::into_inner);
        if growing.max.is_some_and(|max| max < before) {
            self.finish(&mut growing)?;
            growing.max = None;
        }
        let mut files = self.files.write().unwrap_or_else(PoisonError::into_inner);
        while let Some(first) = files.first_entry() {
            let finished = matches!(first.get().body, Body::Finished(_));
            // The last one stays: its number says which comes next.
            if !finished || first.get().max >= before || files.len() == 1 {
                break;
            }
            if let Some((index, _)) = files.pop_first() {
                let path = path(&self.dir, index);
                fs::remove_file(&path).map_err(StoreError::io("remove", &path))?;
            }
        }
        Ok(())
    }
}

fn path(dir: &Path, index: u32) -> PathBuf {
    dir.join(format!("{index:06}"))
}

/// Reads through a file: where its last whole chunk ends, the newest time in it, and what is wrong behind that.
fn scan(bytes: &[u8], index: u32, chunks: &mut HashMap<u64, Vec<FullChunk>>) -> (usize, TimeMs, Option<String>) {
    let mut newest = TimeMs::MIN;
    if !bytes.starts_with(&HEADER[..5]) {
        return (0, newest, Some("the file does not begin with 0130bc91 and version 1".to_owned()));
    }
    let mut at = HEADER.len();
    while at < bytes.len() {
        let rest = &bytes[at..];
        // A file made longer in advance ends in zeros; no series has the reference 0.
        if rest.iter().take(FIXED).all(|&b| b == 0) {
            return match rest.iter().all(|&b| b == 0) {
                true => (bytes.len(), newest, None),
                false => (at, newest, Some("something behind the zeros at the end".to_owned())),
            };
        }
        let mut from = Reader::new(rest);
        let found = match entry(&mut from) {
            Ok(found) => found,
            Err(e) => return (at, newest, Some(e.to_string())),
        };
        let place = u32::try_from(at).map(|offset| DiskRef { file: index, offset });
        // The top bit marks out-of-order chunks: they don't belong into the row of a series' chunks.
        if let Ok(place) = place
            && found.encoding & 0x80 == 0
            && found.min <= found.max
        {
            newest = newest.max(found.max);
            chunks.entry(found.reference).or_default().push(FullChunk {
                min: found.min,
                max: found.max,
                encoding: Encoding(found.encoding),
                data: ChunkData::Disk(place),
            });
        }
        at = bytes.len() - from.len();
    }
    (at, newest, None)
}

fn repair(
    data_dir: &Path,
    path: &Path,
    good: usize,
    reason: &str,
    last: bool,
    loaded: &mut Loaded,
) -> Result<(), StoreError> {
    let mut text = format!("`{}` at byte {good}: {reason}; cut there", path.display());
    // The end of the last file is where a killed writer stopped.
    if !last {
        let copy = files::set_aside(data_dir, path, "chunks_head")?;
        loaded.corruptions += 1;
        text.push_str(&format!(", whole file copied to `{}` and those after it moved there", copy.display()));
    }
    let cut = || match good {
        0..=8 => fs::remove_file(path),
        _ => OpenOptions::new().write(true).open(path).and_then(|f| f.set_len(good as u64)),
    };
    cut().map_err(StoreError::io("repair", path))?;
    loaded.repairs.push(text);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(reference: u64, min: TimeMs, length: usize) -> (u64, TimeMs, TimeMs, Encoding, Vec<u8>) {
        (reference, min, min + 9, Encoding::XOR, vec![reference as u8; length])
    }

    #[test]
    fn chunks_come_back_from_growing_and_finished_files() {
        let dir = tempfile::tempdir().unwrap();
        let (chunks, _) = HeadChunks::open(dir.path()).unwrap();
        // Three files' worth, with some chunks longer than the first guess.
        let all: Vec<_> =
            (1..400u64).map(|i| chunk(i, i as i64 * 10, if i % 7 == 0 { 300_000 } else { 50_000 })).collect();
        let places = chunks.write(&all).unwrap();
        assert!(places.last().unwrap().file > 1);
        for (place, chunk) in places.iter().zip(&all) {
            assert!(chunks.read(*place, |data| data == chunk.4).unwrap());
        }
        let (again, loaded) = HeadChunks::open(dir.path()).unwrap();
        assert_eq!((loaded.chunks.len(), loaded.corruptions, loaded.repairs.len()), (399, 0, 0));
        assert!(again.read(places[13], |data| data == all[13].4).unwrap());
        // A new file goes on behind; the oldest go first.
        let next = again.write(&[chunk(500, 5000, 10)]).unwrap()[0];
        assert_eq!(next.file, places.last().unwrap().file + 1);
        again.truncate(4000).unwrap();
        assert!(again.read(places[0], |_| ()).is_err() && again.read(next, |_| ()).is_ok());
    }

    #[test]
    fn behind_damage_nothing_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let (chunks, _) = HeadChunks::open(dir.path()).unwrap();
        chunks.write(&(1..20).map(|i| chunk(i, 0, 100)).collect::<Vec<_>>()).unwrap();
        let file = dir.path().join("chunks_head/000001");
        let whole = fs::read(&file).unwrap();
        for cut in 0..whole.len() {
            fs::write(&file, &whole[..cut]).unwrap();
            let (_, loaded) = HeadChunks::open(dir.path()).unwrap();
            let most = cut.saturating_sub(8) / 130;
            assert_eq!((loaded.chunks.len(), loaded.corruptions), (most, 0), "cut at {cut}");
        }
        let mut rotten = whole.clone();
        rotten[500] ^= 1;
        fs::write(&file, &rotten).unwrap();
        fs::write(dir.path().join("chunks_head/000002"), &whole).unwrap();
        let (_, loaded) = HeadChunks::open(dir.path()).unwrap();
        assert_eq!((loaded.chunks.len(), loaded.corruptions), (3, 1));
        assert_eq!(fs::read_dir(dir.path().join("corrupt")).unwrap().count(), 2);
    }
}
