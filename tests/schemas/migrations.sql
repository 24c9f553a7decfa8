-- m001_create_settings
CREATE TABLE settings ( key TEXT PRIMARY KEY, value TEXT NOT NULL );
-- m002_create_tracks
CREATE TABLE tracks ( id INTEGER PRIMARY KEY AUTOINCREMENT, path BLOB NOT NULL UNIQUE, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, content_hash TEXT NOT NULL, seconds REAL NOT NULL, sample_rate_hz INTEGER NOT NULL, channels INTEGER NOT NULL, format TEXT NOT NULL, title TEXT, artist TEXT, album TEXT, album_artist TEXT, genre TEXT, year INTEGER, track_number INTEGER );
CREATE TABLE sqlite_sequence(name,seq);
CREATE INDEX idx_tracks_content_hash ON tracks (content_hash);
-- m003_create_vectors
CREATE TABLE vectors ( track_id INTEGER PRIMARY KEY REFERENCES tracks(id) ON DELETE CASCADE, revision INTEGER NOT NULL, embedding BLOB NOT NULL );
CREATE INDEX idx_vectors_revision ON vectors (revision);
CREATE TABLE revision (number INTEGER NOT NULL);
-- m004_create_failures
CREATE TABLE failures ( path BLOB PRIMARY KEY NOT NULL, reason TEXT NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL );
-- m005_create_pending_vectors
CREATE TABLE pending_vectors ( track_id INTEGER PRIMARY KEY REFERENCES tracks(id) ON DELETE CASCADE, content_hash TEXT NOT NULL, embedding BLOB NOT NULL );
-- m006_count_changes_of_tracks
CREATE TABLE track_changes (number INTEGER NOT NULL);
CREATE TRIGGER track_inserted AFTER INSERT ON tracks BEGIN UPDATE track_changes SET number = (random() & 2147483647) | 1; END;
CREATE TRIGGER track_changed AFTER UPDATE ON tracks BEGIN UPDATE track_changes SET number = (random() & 2147483647) | 1; END;
CREATE TRIGGER track_removed AFTER DELETE ON tracks BEGIN UPDATE track_changes SET number = (random() & 2147483647) | 1; END;
-- m007_create_positions
CREATE TABLE positions ( track_id INTEGER PRIMARY KEY REFERENCES tracks(id) ON DELETE CASCADE, revision INTEGER NOT NULL, x REAL NOT NULL, y REAL NOT NULL );
-- m008_add_audio_hash
CREATE TABLE tracks ( id INTEGER PRIMARY KEY AUTOINCREMENT, path BLOB NOT NULL UNIQUE, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, content_hash TEXT NOT NULL, seconds REAL NOT NULL, sample_rate_hz INTEGER NOT NULL, channels INTEGER NOT NULL, format TEXT NOT NULL, title TEXT, artist TEXT, album TEXT, album_artist TEXT, genre TEXT, year INTEGER, track_number INTEGER , audio_hash TEXT NOT NULL DEFAULT '');
CREATE INDEX idx_tracks_audio_hash ON tracks (audio_hash);
-- m009_create_prints
CREATE TABLE prints ( sound_hash TEXT PRIMARY KEY NOT NULL, seconds REAL NOT NULL, words BLOB NOT NULL, fine_words BLOB NOT NULL );
-- m010_add_real_path
CREATE TABLE tracks ( id INTEGER PRIMARY KEY AUTOINCREMENT, path BLOB NOT NULL UNIQUE, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, content_hash TEXT NOT NULL, seconds REAL NOT NULL, sample_rate_hz INTEGER NOT NULL, channels INTEGER NOT NULL, format TEXT NOT NULL, title TEXT, artist TEXT, album TEXT, album_artist TEXT, genre TEXT, year INTEGER, track_number INTEGER , audio_hash TEXT NOT NULL DEFAULT '', real_path BLOB NOT NULL DEFAULT x'');
-- m011_mend_former_schemas
-- m012_create_sounds
CREATE TABLE tracks ( id INTEGER PRIMARY KEY AUTOINCREMENT, path BLOB NOT NULL UNIQUE, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, content_hash TEXT NOT NULL, seconds REAL NOT NULL, sample_rate_hz INTEGER NOT NULL, channels INTEGER NOT NULL, format TEXT NOT NULL, title TEXT, artist TEXT, album TEXT, album_artist TEXT, genre TEXT, year INTEGER, track_number INTEGER , audio_hash TEXT NOT NULL DEFAULT '', real_path BLOB NOT NULL DEFAULT x'', tagger TEXT NOT NULL DEFAULT '');
CREATE TABLE sounds ( track_id INTEGER NOT NULL REFERENCES tracks(id) ON DELETE CASCADE, name TEXT NOT NULL, score REAL NOT NULL, mean REAL NOT NULL, at REAL NOT NULL, PRIMARY KEY (track_id, name) ) WITHOUT ROWID;
CREATE INDEX idx_sounds_name_score_mean ON sounds (name, score, mean);
-- m013_create_moments
CREATE TABLE pending_vectors ( track_id INTEGER PRIMARY KEY REFERENCES tracks(id) ON DELETE CASCADE, content_hash TEXT NOT NULL, embedding BLOB NOT NULL , codes BLOB, sounds BLOB);
CREATE TABLE moments ( track_id INTEGER PRIMARY KEY REFERENCES tracks(id) ON DELETE CASCADE, first_id INTEGER NOT NULL, n_patches INTEGER NOT NULL, revision INTEGER NOT NULL, codes BLOB NOT NULL, sounds BLOB );
CREATE UNIQUE INDEX idx_moments_first_id_n_patches_revision ON moments (first_id, n_patches, revision);
-- m014_add_prints_of_patches
CREATE TABLE pending_vectors ( track_id INTEGER PRIMARY KEY REFERENCES tracks(id) ON DELETE CASCADE, content_hash TEXT NOT NULL, embedding BLOB NOT NULL , codes BLOB, sounds BLOB, prints BLOB);
CREATE TABLE moments ( track_id INTEGER PRIMARY KEY REFERENCES tracks(id) ON DELETE CASCADE, first_id INTEGER NOT NULL, n_patches INTEGER NOT NULL, revision INTEGER NOT NULL, codes BLOB NOT NULL, sounds BLOB , prints BLOB);
-- m015_create_waveforms
CREATE TABLE waveforms ( track_id INTEGER PRIMARY KEY REFERENCES tracks(id) ON DELETE CASCADE, peaks BLOB NOT NULL );
CREATE TRIGGER sound_changed AFTER UPDATE OF content_hash, audio_hash ON tracks WHEN NOT (OLD.audio_hash <> '' AND OLD.audio_hash = NEW.audio_hash OR OLD.content_hash <> '' AND OLD.content_hash = NEW.content_hash) BEGIN DELETE FROM waveforms WHERE track_id = OLD.id; END;
-- m016_add_has_cover
CREATE TABLE tracks ( id INTEGER PRIMARY KEY AUTOINCREMENT, path BLOB NOT NULL UNIQUE, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, content_hash TEXT NOT NULL, seconds REAL NOT NULL, sample_rate_hz INTEGER NOT NULL, channels INTEGER NOT NULL, format TEXT NOT NULL, title TEXT, artist TEXT, album TEXT, album_artist TEXT, genre TEXT, year INTEGER, track_number INTEGER , audio_hash TEXT NOT NULL DEFAULT '', real_path BLOB NOT NULL DEFAULT x'', tagger TEXT NOT NULL DEFAULT '', has_cover INTEGER);
-- m017_create_playlists
CREATE TABLE playlists ( name TEXT PRIMARY KEY NOT NULL, n_tracks INTEGER NOT NULL, seconds REAL NOT NULL, saved TEXT NOT NULL, content TEXT NOT NULL );
