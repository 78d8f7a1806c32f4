// Boost.Asio and Boost.Beast are compiled here once; other units see declarations only (the definitions that say so are
// set for all who link this room). Programs that use neither do not get this unit from the archive.
#include <boost/asio/impl/src.hpp>
#include <boost/beast/src.hpp>
