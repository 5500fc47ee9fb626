"""An asyncio-native, transactional storage engine for AI datasets on any object store."""
