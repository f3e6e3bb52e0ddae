//! What stands in for sound devices where jiho was built without them.

use super::{Capturing, DeviceError, DeviceInfo, Playing, SoundDevices, Source, StreamRequest};

pub(super) struct NoDevices;

impl SoundDevices for NoDevices {
    fn list(&self) -> Result<Vec<DeviceInfo>, DeviceError> {
        Err(DeviceError::NotBuilt)
    }

    fn play_all(
        &self,
        _request: &StreamRequest,
        _sources: Vec<(Option<u16>, Source)>,
    ) -> Result<Box<dyn Playing>, DeviceError> {
        Err(DeviceError::NotBuilt)
    }

    fn record(&self, _request: &StreamRequest) -> Result<Box<dyn Capturing>, DeviceError> {
        Err(DeviceError::NotBuilt)
    }
}
